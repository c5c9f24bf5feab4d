"""The routes of the service, and what each of them answers."""

import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_digits_runtime import __version__
from edge_digits_runtime.errors import EdgeDigitsError, PictureError, UsageError
from edge_digits_runtime.model.classifier import DigitClassifier
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from edge_digits_live import answers, metrics, openapi, page
from edge_digits_live.bodies import Bodies, Picture, RefusedError
from edge_digits_live.collecting import Collecting
from edge_digits_live.guard import Guard, allowed_names, error
from edge_digits_live.limits import MOST_HOURS, MOST_RECORDS, Limits
from edge_digits_live.models import Models
from edge_digits_live.workers import BusyError, Classifiers, Workers

if TYPE_CHECKING:
    # What reads meters is loaded only where one is watched: 2 MB.
    from edge_digits_live.camera import Camera
    from edge_digits_live.meter import Meter, Range

Answer = Callable[[Picture, DigitClassifier], dict[str, Any]]
_FALSE, _TRUE = frozenset(["0", "false", "no"]), frozenset(["1", "true", "yes"])


@dataclass(frozen=True)
class Settings:
    """The settings of a service."""

    token: str | None = None
    """The secret that clients must show; None if everybody who reaches the service may ask."""
    names: tuple[str, ...] = ()
    """Names of this machine that a Host header may have, beside its own."""
    limits: Limits = field(default_factory=Limits)


class Service:
    """Answers requests with the models of one device."""

    def __init__(
        self,
        models: Models,
        workers: Workers,
        settings: Settings,
        collecting: Collecting | None = None,
        camera: "Camera | None" = None,
        meter: "Meter | None" = None,
    ) -> None:
        self._models, self._workers, self._settings = models, workers, settings
        self._collecting = collecting or Collecting()
        self._camera, self._meter = camera, meter
        self._bodies = Bodies(settings.limits)
        self._metrics = metrics.Metrics()

    def app(self) -> ASGIApp:
        """Return the ASGI application."""
        routes = [
            Route("/", self._page),
            Route("/healthz", self._health),
            Route("/metrics", self._show_metrics),
            Route("/api/openapi.json", self._openapi),
            Route("/api/classify", self._classify, methods=["POST"]),
            Route("/api/read", self._read, methods=["POST"]),
            Route("/api/model", self._model),
            Route("/api/models", self._list_models),
            Route("/api/correct", self._correct, methods=["POST"]),
            Route("/api/waiting", self._waiting),
            Route("/api/waiting/{name}", self._waiting_picture),
            Route("/api/label", self._label, methods=["POST"]),
            Route("/api/camera", self._look),
            Route("/api/readings", self._readings),
            Route("/api/doubts/{name}", self._doubt),
            Route("/api/profile", self._profile, methods=["GET"]),
            Route("/api/profile", self._move, methods=["POST"]),
            Route("/api/profile/picture", self._reference),
        ]
        handlers: dict[Any, Any] = {
            BusyError: _busy,
            RefusedError: _refused,
            PictureError: _bad_picture,
            UsageError: _bad_picture,
            EdgeDigitsError: _failed,
            ClientDisconnect: _gone,
            HTTPException: _http_error,
            Exception: _fault,
        }
        inner = Starlette(routes=routes, exception_handlers=handlers)
        paths = [route.path for route in routes]
        names = allowed_names(self._settings.names)
        return Guard(inner, self._metrics, paths, names, self._settings.token, page.document().csp)

    async def _page(self, request: Request) -> Response:
        document = page.document()
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(document.gzipped, media_type="text/html", headers={"content-encoding": "gzip"})
        return Response(document.html, media_type="text/html")

    async def _health(self, _request: Request) -> Response:
        watching = self._meter is None or self._meter.alive
        well = self._workers.alive and watching
        about = {
            "status": "ok" if well else "watching has ended" if self._workers.alive else "a worker has ended",
            "version": __version__,
            "model": self._models.default,
            "sha256": self._models.sha256,
            "waiting": self._workers.waiting,
        }
        return JSONResponse(about, 200 if well else 500)

    async def _show_metrics(self, _request: Request) -> Response:
        gauges = {
            "waiting_requests": ("Requests that wait for a worker.", float(self._workers.waiting)),
            "held_bytes": ("Bytes of requests in memory.", float(self._bodies.held)),
            "collection_full": ("Whether the collection takes nothing more.", float(self._collecting.full)),
            "workers": ("Threads that answer pictures.", float(self._workers.threads)),
        }
        meter = self._meter
        more = [] if meter is None else await self._workers.run(lambda _: meter.samples())
        return Response(self._metrics.text(gauges, more), media_type=metrics.CONTENT_TYPE)

    async def _openapi(self, _request: Request) -> Response:
        return JSONResponse(openapi.document(self._settings.limits, self._settings.token is not None))

    async def _classify(self, request: Request) -> Response:
        name, show = self._model_name(request), _flag(request, "show")
        pixels = self._settings.limits.pixels
        # Half a digit that is answered while one draws is nothing to learn from.
        live = _flag(request, "live")
        keep = None if live else self._collecting.keep(request.query_params.get("group"))

        def answer(picture: Picture, classifier: DigitClassifier) -> dict[str, Any]:
            return answers.classify(picture, classifier, pixels, show, keep)

        return await self._answer(request, "classify", name, answer)

    async def _read(self, request: Request) -> Response:
        pixels = self._settings.limits.pixels

        def answer(picture: Picture, _classifier: DigitClassifier) -> dict[str, Any]:
            return answers.read(picture, pixels)

        return await self._answer(request, "read", self._model_name(request), answer)

    async def _answer(self, request: Request, verb: str, name: str, answer: Answer) -> Response:
        """Answer the pictures of a request: with an object for one that came alone, with a list for those of a form.

        In a form, a picture that cannot be read has its error in its place, and the others are answered.
        """
        async with self._bodies.pictures(request) as (pictures, in_form):
            if not in_form:
                (picture,) = pictures
                one = await self._workers.run(lambda classifiers: answer(picture, classifiers[name]))
                self._metrics.count_picture(verb, one["sure"])
                return JSONResponse(one)
            found: list[dict[str, Any]] = []
            for each in pictures:

                def work(classifiers: Classifiers, each: Picture = each) -> dict[str, Any]:
                    return answer(each, classifiers[name])

                try:
                    done = await self._workers.run(work)
                except (PictureError, RefusedError) as refused:
                    found.append({"file": each.name, "error": str(refused)})
                else:
                    self._metrics.count_picture(verb, done["sure"])
                    found.append(done)
            return JSONResponse(found)

    async def _model(self, request: Request) -> Response:
        name = self._model_name(request)

        def describe(classifiers: Classifiers) -> dict[str, Any]:
            here = {
                "collects": self._collecting.on,
                "camera": self._camera and self._camera.name,
                "meter": self._meter and self._meter.name,
            }
            return self._models.describe(name, classifiers[name]) | here

        return JSONResponse(await self._workers.run(describe))

    async def _list_models(self, _request: Request) -> Response:
        return JSONResponse(await self._workers.run(lambda _: self._models.installed()))

    async def _correct(self, request: Request) -> Response:
        name, label = self._model_name(request), request.query_params.get("label", "")
        group, pixels = request.query_params.get("group"), self._settings.limits.pixels
        async with self._bodies.pictures(request) as (pictures, _):
            if len(pictures) != 1:
                raise RefusedError(422, f"{len(pictures)} pictures; send one with its label")
            return JSONResponse(
                await self._workers.run(
                    lambda classifiers: self._collecting.correct(pictures[0], classifiers[name], pixels, label, group)
                )
            )

    async def _waiting(self, _request: Request) -> Response:
        return JSONResponse(await self._workers.run(lambda _: self._collecting.waiting()))

    async def _waiting_picture(self, request: Request) -> Response:
        name = request.path_params["name"]
        return Response(await self._workers.run(lambda _: self._collecting.picture(name)), media_type="image/png")

    async def _label(self, request: Request) -> Response:
        name, label = request.query_params.get("id", ""), request.query_params.get("label")
        return JSONResponse(await self._workers.run(lambda _: self._collecting.label(name, label)))

    async def _look(self, _request: Request) -> Response:
        if self._camera is None:
            raise RefusedError(404, "no camera; start the service with a SOURCE, such as /dev/video0")
        return Response(await self._camera.picture(), media_type="image/jpeg")

    async def _readings(self, request: Request) -> Response:
        meter, asked = self._watched(), _range(request)
        return JSONResponse(await self._workers.run(lambda _: meter.readings(asked)))

    async def _doubt(self, request: Request) -> Response:
        meter, name = self._watched(), request.path_params["name"]
        return Response(await self._workers.run(lambda _: meter.doubt(name)), media_type="image/jpeg")

    async def _profile(self, _request: Request) -> Response:
        return JSONResponse(self._watched().profile())

    async def _reference(self, _request: Request) -> Response:
        meter = self._watched()
        return Response(await self._workers.run(lambda _: meter.picture()), media_type="image/png")

    async def _move(self, request: Request) -> Response:
        meter = self._watched()
        async with self._bodies.content(request) as content:
            return JSONResponse(await self._workers.run(lambda _: meter.move(content)))

    def _watched(self) -> "Meter":
        if self._meter is None:
            raise RefusedError(404, "no meter; start the service with --profile METER.TOML")
        return self._meter

    def _model_name(self, request: Request) -> str:
        """Return the name of the model that a request asks for.

        Raises:
            RefusedError: there is none of that name.
        """
        name = request.query_params.get("model") or self._models.default
        if name not in self._models.load:
            raise RefusedError(404, f"model {name!r:.80}: not installed; there are {', '.join(self._models.load)}")
        return name


def _flag(request: Request, name: str) -> bool:
    """Return whether a query parameter is set.

    Raises:
        RefusedError: it is neither true nor false.
    """
    value = request.query_params.get(name, "false").lower()
    if value not in _FALSE | _TRUE:
        raise RefusedError(422, f"{name}={value!r:.40}; allowed is true or false")
    return value in _TRUE


def _range(request: Request) -> "Range":
    """Return which records a request asks for.

    Raises:
        RefusedError: a number that is none, or not allowed.
    """
    from edge_digits_live.meter import Range

    query, default = request.query_params, Range()
    limit, hours = query.get("limit", str(default.limit)), query.get("hours")
    if not re.fullmatch(r"\d{1,4}", limit, re.ASCII) or not 1 <= int(limit) <= MOST_RECORDS:
        raise RefusedError(422, f"limit={limit!r:.40}; allowed is 1 to {MOST_RECORDS}")
    try:
        back = None if hours is None else float(hours)
    except ValueError:
        back = math.nan
    if back is not None and not 0 < back <= MOST_HOURS:
        raise RefusedError(422, f"hours={hours!r:.40}; allowed is above 0, to {MOST_HOURS}")
    return Range(int(limit), back, _flag(request, "sure") if "sure" in query else None)


Handler = Callable[[Request, Exception], Awaitable[Response]]


async def _busy(_request: Request, busy: BusyError) -> Response:
    return error(503, str(busy), {"retry-after": str(busy.retry_after)})


async def _refused(_request: Request, refused: RefusedError) -> Response:
    return error(refused.status, str(refused), {"connection": "close"} if refused.close else None)


async def _bad_picture(_request: Request, bad: Exception) -> Response:
    return error(422, str(bad))


async def _failed(_request: Request, failed: EdgeDigitsError) -> Response:
    return error(500, str(failed))


async def _gone(_request: Request, _error: ClientDisconnect) -> Response:
    # Nobody reads it; the number is that which nginx gives such requests.
    return Response(status_code=499)


async def _fault(_request: Request, _error: Exception) -> Response:
    # Starlette raises the error again; the guard logs it.
    return error(500, "a fault of the service; its log says more")


async def _http_error(request: Request, http: HTTPException) -> Response:
    if http.status_code == 404:
        return error(404, "nothing here; /api/openapi.json lists what there is")
    if http.status_code == 405:
        return error(405, f"{request.method} is not for this", dict(http.headers or {}))
    return error(http.status_code, http.detail)
