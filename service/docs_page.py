"""The interactive API docs: Swagger UI as BentoML brings it, and nothing from other hosts."""

HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>DroneSeg API</title>
<link rel="stylesheet" href="static_content/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="static_content/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({ url: "docs.json", dom_id: "#docs", validatorUrl: null });
</script>
</body>
</html>
"""

# Whatever Swagger UI may try: the browser asks no other host.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
}
