"""What tabs share that show analyses: their words, and a panel with the figure of the open one."""
