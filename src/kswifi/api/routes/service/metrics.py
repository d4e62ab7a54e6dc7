"""What Prometheus reads; for this machine and the networks that a setting names."""

from ipaddress import ip_address

from fastapi import APIRouter, Request, Response

from kswifi.api.edge.dependencies import ServicesDep
from kswifi.api.edge.errors import MetricsNotForYouError, NotReadyError

router = APIRouter(tags=["system"])


@router.get("/metrics", include_in_schema=False)
async def read_metrics(request: Request, services: ServicesDep) -> Response:
    """Return the metrics in Prometheus' text format.

    Raises:
        MetricsNotForYouError: the request comes from elsewhere: figures of a business are nobody else's.
        NotReadyError: this server has none.
    """
    metrics = services.metrics
    if metrics is None:
        raise NotReadyError("this server has no metrics")
    try:
        address = ip_address(request.client.host if request.client is not None else "")
    except ValueError:
        raise MetricsNotForYouError("metrics are not shown to you") from None
    if not address.is_loopback and not any(address in network for network in metrics.networks):
        raise MetricsNotForYouError("metrics are not shown to you")
    return Response(await metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
