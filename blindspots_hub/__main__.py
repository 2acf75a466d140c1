"""`python -m blindspots_hub`."""

from blindspots_hub.cli import main

main()
