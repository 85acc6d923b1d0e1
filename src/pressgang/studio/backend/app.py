"""The routes that Label Studio calls."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from pressgang.label_studio.labeling_config import LabelingConfig
from pressgang.studio.backend.http import Access, read_json
from pressgang.studio.backend.proposals import read_target
from pressgang.studio.backend.serving import ModelSlot, predict_tasks, suggest
from pressgang.studio.backend.trainings import Trainings

_ANNOTATION_EVENTS = {
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
}

_log = logging.getLogger("pressgang.studio")


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a request and a text may be, and how long an answer may take.

    `predict_seconds` must be less than Label Studio waits (100 s by default).
    """

    predict_seconds: float = 80.0
    body_bytes: int = 32 << 20
    text_characters: int = 500_000


def create_app(
    slot: ModelSlot,
    trainings: Trainings,
    access: Access,
    limits: Limits,
    *,
    project: int | None = None,
) -> FastAPI:
    """The backend. It answers for any project, and is trained for `project` alone.

    No route says or logs anything of what a request holds: Label Studio sends a token with
    `/setup`, and people's texts with the others.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        threading.Thread(target=_warm_up, args=[slot], daemon=True).start()
        trainings.start()
        yield
        await run_in_threadpool(trainings.stop)

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.middleware("http")(_guarded)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "UP", "model_class": "pressgang"}

    @app.get("/versions")
    async def versions(request: Request) -> dict[str, list[str]]:
        access.demand(request)
        return {"versions": list(reversed(trainings.versions))}

    @app.get("/status")
    async def status(request: Request) -> dict[str, Any]:
        access.demand(request)
        model = {"model_version": slot.version, "model_is_loaded": slot.is_loaded}
        return model | {"project": project} | trainings.status()

    @app.post("/setup")
    async def setup(request: Request) -> dict[str, str]:
        access.demand(request)
        body = await read_json(request, limit=limits.body_bytes)
        _target(body.get("schema"))
        if project is not None and _project_id(body) == project:
            await run_in_threadpool(trainings.note_setup)
        return {"model_version": slot.version}

    @app.post("/predict")
    async def predict(request: Request) -> dict[str, list[Any]]:
        until = time.monotonic() + limits.predict_seconds
        access.demand(request)
        body = await read_json(request, limit=limits.body_bytes)
        return {"results": await run_in_threadpool(_predict, slot, body, limits, until)}

    @app.post("/webhook")
    async def webhook(request: Request) -> dict[str, str]:
        body = await read_json(request, limit=limits.body_bytes)
        action = body.get("action")
        if action in _ANNOTATION_EVENTS:
            # Label Studio sends these without the password. They are only a hint to look at the
            # project, where this backend counts for itself.
            if project is not None and _project_id(body) == project:
                await run_in_threadpool(trainings.note_event)
            return {"status": "noted"}
        if action != "START_TRAINING":
            return {"status": "ignored"}
        access.demand(request)
        if not trainings.is_possible:
            raise HTTPException(409, "this backend was started without a training configuration")
        if _project_id(body) != project:
            raise HTTPException(409, f"this backend is trained on project {project} alone")
        await run_in_threadpool(trainings.request)
        return {"status": "training requested"}

    return app


def _predict(
    slot: ModelSlot, body: dict[str, Any], limits: Limits, until: float
) -> list[dict[str, Any] | list[Any]]:
    """The answers to the tasks of a request, one each."""
    tasks, params = body.get("tasks"), body.get("params")
    if not isinstance(tasks, list):
        raise HTTPException(400, "tasks is not a list")
    target = _target(body.get("label_config"))
    try:
        model = slot.get()
    except (ValueError, OSError) as error:
        _log.error("the model cannot be loaded: %s", error)
        raise HTTPException(503, "the model cannot be loaded") from None
    context = params.get("context") if isinstance(params, dict) else None
    if context is not None and len(tasks) == 1:
        answer, tally = suggest(
            model, tasks[0], context, target, max_characters=limits.text_characters
        )
        _log.info("suggested: %s", tally)
        return [answer]
    answers, tally = predict_tasks(
        model, tasks, target, until=until, max_characters=limits.text_characters
    )
    _log.info("predicted: %s", tally)
    return answers


def _target(label_config: object) -> LabelingConfig:
    if not isinstance(label_config, str):
        raise HTTPException(400, "the labeling config is missing")
    try:
        return read_target(label_config)
    except ValueError as error:
        raise HTTPException(400, str(error)) from None


def _project_id(body: dict[str, Any]) -> int | None:
    """The project that a request is about: `{"id": 7}` in events, `"7.1795319444"` else."""
    project = body.get("project")
    if isinstance(project, dict):
        project = project.get("id")
    number = str(project).partition(".")[0]
    return int(number) if number.isascii() and number.isdigit() else None


def _warm_up(slot: ModelSlot) -> None:
    """Load the model before the first task needs it; if that fails, the first task says so."""
    try:
        slot.get()
    except (ValueError, OSError) as error:
        _log.error("the model cannot be loaded: %s", error)


async def _guarded(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """One line in the log for each request; an error of ours is named by its place alone.

    The message of an unforeseen error may repeat what a request holds.
    """
    started = time.monotonic()
    try:
        response = await answer(request)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{frames[-1].filename}:{frames[-1].lineno}"
        _log.error("%s at %s", type(error).__name__, place)
        response = JSONResponse({"detail": "an error of the backend; see its log"}, 500)
    seconds = time.monotonic() - started
    route = request.scope.get("route")
    path = getattr(route, "path", "(no such path)")
    _log.info("%s %s %d in %.2f s", request.method, path, response.status_code, seconds)
    return response
