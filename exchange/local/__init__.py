"""The whole product on one machine: servers from pip, the processes of the Procfile, and a supervisor over both.

Serves `make run` and `make test`; a deployment brings its own PostgreSQL, Redis and process manager.
Nothing here imports Django: these modules run before there is a database, and settings are read by the processes.
"""
