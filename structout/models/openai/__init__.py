"""Models behind a server with the protocol of OpenAI."""
