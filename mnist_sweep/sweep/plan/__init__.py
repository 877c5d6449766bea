"""What a sweep would do, found out before it is started: a dry run, which writes nothing."""
