"""The HTTPS servers of remote SIM provisioning: ES9+ and ES2+."""
