"""What schemathesis has to be told about the API: how bodies are sent whose media type it does not know."""

import schemathesis

# Lines of JSON, which the document describes as one text.
schemathesis.serializer.alias("application/x-ndjson", "text/plain")
