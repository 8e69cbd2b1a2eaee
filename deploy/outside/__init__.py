"""Outside consumers: programs of others that listen to the events of one regency, and can do nothing else."""
