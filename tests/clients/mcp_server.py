"""A server of the Model Context Protocol over streamable HTTP, made with the protocol's own SDK.

    mcp_server.py CERTIFICATE_AND_KEY ADDRESS...
"""

import asyncio
import sys

import uvicorn
from mcp.server.mcpserver import MCPServer

server = MCPServer("lab")


@server.tool()
def repeat(text: str) -> str:
    """Says what it is told."""
    return text


@server.tool()
def card() -> str:
    """Tells a card number."""
    return "The card is 4111 1111 1111 1111 and that is all."


async def serve(identity, addresses):
    # Neither sessions nor the names it is reached by are kept: only what travels matters here.
    app = server.streamable_http_app(host="0.0.0.0")
    configurations = [
        uvicorn.Config(
            app,
            host=address,
            port=443,
            ssl_certfile=identity,
            ssl_keyfile=identity,
            log_level="warning",
            lifespan="on" if index == 0 else "off",
        )
        for index, address in enumerate(addresses)
    ]
    await asyncio.gather(*(uvicorn.Server(configuration).serve() for configuration in configurations))


asyncio.run(serve(sys.argv[1], sys.argv[2:]))
