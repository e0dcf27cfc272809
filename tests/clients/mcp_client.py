"""An ordinary program of the Model Context Protocol's SDK: nothing in it knows that it is being watched."""

import contextlib

import mcp

from common import Program

URL = "https://mcp.own.test/mcp"


@contextlib.asynccontextmanager
async def connect(options):
    # A session is part of what is tested, and so of the call.
    yield None


async def tool(_, options, answer):
    """Lists the tools and calls one; the variant is the client's `mode`."""
    error = None
    async with mcp.Client(options.base_url, mode=options.variant or "auto") as client:
        # What is raised through the client's own tasks would come out as a group.
        try:
            answer["version"] = client.protocol_version
            answer["tools"] = [tool.name for tool in (await client.list_tools()).tools]
            arguments = {"text": options.prompt} if options.model == "repeat" else {}
            result = await client.call_tool(options.model, arguments)
            answer["failed"] = result.is_error
            answer["text"] = [content.text for content in result.content]
        except mcp.MCPError as raised:
            error = raised
    if error:
        raise error


Program(
    connect=None,
    commands={},
    connect_asynchronously=connect,
    asynchronous={"tool": tool},
    defaults={"model": "repeat", "base_url": URL, "asynchronous": True},
).main()
