"""``python -m deploy.cli`` is ``mpp``."""

from deploy.cli import main

main()
