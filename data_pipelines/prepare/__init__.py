"""From media files to records: probe, cut, filter, annotate, encode, write shards.

`run.prepare` is the whole of it. The clips of a source are listed once, sorted by name, and cut
into shards; each shard is a function of its clips alone, made by one worker and put into its place
when it is whole. So a preparation that was killed goes on where it was, and the result is the same
whatever the number of workers.
"""
