"""Functions whose calls are tasks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .task import Task

if TYPE_CHECKING:
    from .handle import Heartline

F = TypeVar("F", bound=Callable[..., Any])

_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200


def wrap(hb: Heartline, name: str | None, function: F) -> F:
    """Makes each call of a function a task, named after the function unless it has a name."""
    flags = _flags(function)
    name = name or str(getattr(function, "__name__", None) or type(function).__name__)
    if flags & _ASYNC_GENERATOR:
        wrapper = _async_generator(hb, name, function)
    elif flags & _COROUTINE:
        wrapper = _coroutine(hb, name, function)
    elif flags & _GENERATOR:
        wrapper = _generator(hb, name, function)
    else:
        wrapper = _function(hb, name, function)
    return cast("F", wraps(function)(wrapper))


def _flags(function: Callable[..., Any]) -> int:
    """Returns the flags of a function's code, also within a partial, a method or a callable object."""
    inner: Any = function
    while hasattr(inner, "func") and hasattr(inner, "keywords"):
        inner = inner.func
    code = getattr(inner, "__code__", None) or getattr(
        getattr(inner, "__call__", None), "__code__", None
    )
    return int(getattr(code, "co_flags", 0))


def _function(hb: Heartline, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with Task(hb, name):
            return function(*args, **kwargs)

    return call


def _coroutine(hb: Heartline, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        async with Task(hb, name):
            return await function(*args, **kwargs)

    return call


def _generator(hb: Heartline, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with Task(hb, name) as task:
            # What runs between two values is the caller's.
            task.leave_context()
            generator: Generator[Any, Any, Any] = function(*args, **kwargs)
            return (yield from generator)

    return call


def _async_generator(hb: Heartline, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        async with Task(hb, name) as task:
            task.leave_context()
            generator = function(*args, **kwargs)
            try:
                item = await generator.__anext__()
                while True:
                    try:
                        sent = yield item
                    except GeneratorExit:
                        await generator.aclose()
                        raise
                    except BaseException as error:
                        item = await generator.athrow(error)
                    else:
                        item = await generator.asend(sent)
            except StopAsyncIteration:
                pass

    return call
