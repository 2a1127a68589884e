"""Many files, on one machine or many: each becomes one row, whatever happens on the way."""
