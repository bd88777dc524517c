"""Errors of the admin API: one shape, a code for programs, a sentence for people."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from sandbox.interactions.access import NotAllowed
from sandbox.interactions.options import InvalidInput
from sandbox.interactions.people import NotFound
from sandbox.interactions.rules.form import InvalidForm
from sandbox.world import Unknown


class ErrorDetail(BaseModel):
    """`code` is stable, `message` says what to do, `problems` maps fields to sentences."""

    code: str
    message: str
    problems: dict[str, Any] = {}


class ErrorBody(BaseModel):
    """Every 4xx answer."""

    error: ErrorDetail


class Refused(Exception):
    """An action that this person may not do, or that makes no sense now."""

    def __init__(self, code: str, message: str, *, status: int = 403) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


ERROR_ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "The action is not possible as asked."},
    403: {"model": ErrorBody, "description": "The person may not do this."},
    404: {"model": ErrorBody, "description": "Something named here does not exist."},
    422: {"model": ErrorBody, "description": "The request does not have the documented form."},
}


def add_error_handlers(api: FastAPI) -> None:
    """Answer the sandbox's exceptions with `ErrorBody`."""

    @api.exception_handler(Unknown)
    async def unknown(_: Request, error: Unknown) -> JSONResponse:
        return _answer(404, f"unknown_{error.kind}", f"{error}; GET /sandbox/world lists what exists")

    @api.exception_handler(InvalidInput)
    async def invalid_input(_: Request, error: InvalidInput) -> JSONResponse:
        if isinstance(error, NotFound):
            return _answer(404, "not_found", str(error))
        if isinstance(error, NotAllowed):
            return _answer(403, "not_allowed", str(error))
        return _answer(400, "invalid_input", str(error), error.problems)

    @api.exception_handler(InvalidForm)
    async def invalid_form(_: Request, error: InvalidForm) -> JSONResponse:
        return _answer(400, "invalid_form", str(error), error.errors)

    @api.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        return _answer(error.status, error.code, str(error))

    @api.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        problems = {".".join(map(str, one["loc"])): one["msg"] for one in error.errors()}
        said = "; ".join(f"{place}: {text}" for place, text in problems.items())
        return _answer(422, "invalid_request", said, problems)


def _answer(status: int, code: str, message: str, problems: dict[str, Any] | None = None) -> JSONResponse:
    detail = ErrorDetail(code=code, message=message, problems=problems or {})
    return JSONResponse(ErrorBody(error=detail).model_dump(), status)
