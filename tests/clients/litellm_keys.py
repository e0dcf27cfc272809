"""Keys of the LiteLLM proxy in the bench, without a database: what a key may spend is in its name.

    sk-tpm-4000-RUN      4,000 tokens a minute
    sk-usd-0.002-RUN     0.002 USD in all

LiteLLM's own `custom_auth` hook; its limiter and its budgets read the limits from what this returns, as they do for a key
from its database.
"""

from litellm.proxy._types import UserAPIKeyAuth


async def user_api_key_auth(request, api_key):
    _, kind, limit, _ = api_key.split("-", 3)
    if kind == "tpm":
        return UserAPIKeyAuth(api_key=api_key, tpm_limit=int(limit))
    return UserAPIKeyAuth(api_key=api_key, max_budget=float(limit))
