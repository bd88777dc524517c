"""`gatehouse sandbox up`: the whole system on one machine, as real processes under one supervisor.

The only part of `sandbox` that knows `app`: it starts its processes and shares its embedded servers.
"""
