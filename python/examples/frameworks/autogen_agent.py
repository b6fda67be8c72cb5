"""A team of AutoGen: `python examples/frameworks/autogen_agent.py`."""

import asyncio

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core.models import ModelFamily, ModelInfo
from autogen_ext.models.replay import ReplayChatCompletionClient

import heartline

hb = heartline.start("autogen-agent")
heartline.auto()

about = ModelInfo(
    vision=False, function_calling=True, json_output=False, structured_output=False,
    family=ModelFamily.UNKNOWN,
)  # fmt: skip


def member(name: str) -> AssistantAgent:
    client = ReplayChatCompletionClient(["a first thought", "a second"], model_info=about)
    return AssistantAgent(name, model_client=client)


async def main() -> None:
    for _ in range(3):
        team = RoundRobinGroupChat(
            [member("writer"), member("critic")], termination_condition=MaxMessageTermination(4)
        )
        result = await team.run(task="write")  # one task, however many turns it takes
        print(len(result.messages), "messages")


asyncio.run(main())
print(hb)
