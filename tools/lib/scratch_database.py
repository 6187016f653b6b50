"""A database of its own on a server for tests: `scratch_database.py create|drop URL NAME`; `create` prints the URL of the database.

It talks to MySQL and MariaDB by PyMySQL and to PostgreSQL by pg8000.
"""

import sys
from urllib.parse import unquote, urlsplit

action, url, name = sys.argv[1:]
server = urlsplit(url)
given = {
    "host": server.hostname,
    "user": unquote(server.username or ""),
    "password": unquote(server.password or ""),
}
statement = {"create": f"CREATE DATABASE {name}", "drop": f"DROP DATABASE IF EXISTS {name}"}[action]
if server.scheme == "mysql":
    import pymysql

    connection = pymysql.connect(port=server.port or 3306, **given)
else:
    import pg8000.dbapi

    # One has to be connected to some database to make another.
    connection = pg8000.dbapi.connect(port=server.port or 5432, database=server.path.lstrip("/"), **given)
    connection.autocommit = True
connection.cursor().execute(statement)
connection.close()
if action == "create":
    print(server._replace(path=f"/{name}").geturl())
