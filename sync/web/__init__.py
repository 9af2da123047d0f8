"""The endpoints of ``leadpact serve``: what the CRMs call, what a supervisor asks, what Prometheus reads."""
