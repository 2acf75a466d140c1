"""Images from addresses that strangers wrote down, fetched so that nobody is harmed by it."""
