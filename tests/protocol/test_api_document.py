"""The OpenAPI document follows the OpenAPI Specification."""

from pathlib import Path

from openapi_spec_validator import OpenAPIV32SpecValidator

from tests.support.api import serving


async def test_the_openapi_document_is_valid_in_the_version_that_it_declares(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, _services):
        document = (await client.get("/api/v1/openapi.json")).json()
    assert document["openapi"] == "3.2.0"
    errors = [
        f"{list(one.absolute_path)}: {one.message[:300]}" for one in OpenAPIV32SpecValidator(document).iter_errors()
    ]
    assert not errors, "\n".join(errors)
