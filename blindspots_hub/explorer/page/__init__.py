"""What every tab of the page shares."""
