"""What a lead means. Pure: no clock, files, sockets, environment or logging."""
