"""What every room uses: files, memory, cores, processes, the Hub's errors."""
