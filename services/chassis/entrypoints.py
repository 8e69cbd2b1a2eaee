"""How calls and events enter a service. A ``service.py`` decorates methods with these and holds no more than that.

Whoever calls, the method's rule (:mod:`services.contracts.authorisation`) is applied to the actor of the call's context: a
service does not rely on the gateway having done so.

A *command* changes something: validated, its regency and deadline checked, done once under its command id, in one
unit of work. A *query* reads, in a read-only transaction. An *event* is handled once (:mod:`.inbox`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from eventlet.event import Event as Completion
from marshmallow import Schema
from nameko.extensions import Entrypoint

from services.chassis import audit, commands
from services.chassis.context import UNBOUND_ROLES, CallContext
from services.chassis.database import UnitOfWork
from services.chassis.errors import DeadlineExceeded, DomainError
from services.chassis.events import Envelope
from services.chassis.extensions import DatabaseAccess, settings
from services.chassis.rpc_server import RpcServer
from services.chassis.settings import Settings
from services.contracts.authorisation import Rule, rule_of

Present = Callable[[Settings, Any], Any]
Recognise = Callable[[Settings, dict[str, Any]], dict[str, Any]]


class _Raised:
    """An exception on its way out of a worker; nameko would log each refusal with a stack trace."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class Call(Entrypoint):
    """A method that others call over RPC."""

    server = RpcServer()
    access = DatabaseAccess()

    def __init__(self, schema: type[Schema], present: Present | None = None, rule: Rule | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._schema = schema()
        self._present = present
        self._rule = rule

    def setup(self) -> None:
        """Register with the container's RPC server; a method that nobody has said who may call does not start."""
        if self._rule is None:
            self._rule = rule_of(self.container.service_name, self.method_name)
        self.server.register_provider(self)

    def stop(self) -> None:
        """Stop taking before the workers are waited for."""
        self.server.drain()

    def serve(self, context: CallContext, payload: Any) -> Any:
        """Return the answer to one call; raises what the caller should be told."""
        if context.remaining() <= 0:
            raise DeadlineExceeded
        try:
            authorise(self._rule, context, payload)
            return self.perform(context, self._loaded(payload))
        except Exception as error:
            if (code := getattr(error, "code", None)) is not None:  # a service's own refusals are no DomainError
                self.refused(context, payload, str(code))
            raise

    def refused(self, context: CallContext, payload: Any, code: str) -> None:
        """Do what is to be done when a call was refused."""

    def perform(self, context: CallContext, data: dict[str, Any]) -> Any:
        """Do what this kind of entrypoint does around its method."""
        raise NotImplementedError

    def _loaded(self, payload: Any) -> dict[str, Any]:
        loaded: dict[str, Any] = self._schema.load(payload)
        return loaded

    def _in_worker(self, *arguments: Any) -> Any:
        """Run the service's method in a nameko worker, with its dependencies injected."""
        return run_in_worker(self, arguments)


class Command(Call):
    """Changes something, once."""

    def __init__(self, schema: type[Schema], recognise: Recognise | None = None, **kwargs: Any) -> None:
        super().__init__(schema, **kwargs)
        self._recognise = recognise

    def perform(self, context: CallContext, data: dict[str, Any]) -> Any:
        """Take the regency's turn, then do the command and keep its result in one transaction."""
        regency = own_regency(context)
        handed = self.handed(context, data)
        kept = data if self._recognise is None else self._recognise(settings(), data)
        with (
            self.access.turnstile.turn(regency, context.remaining()),
            self.access.database.regency_work(regency, context=context, plan_once=True) as work,
        ):
            answer = commands.once(work, self.method_name, kept, partial(self._audited, work, handed))
        return answer if self._present is None else self._present(settings(), answer)

    def refused(self, context: CallContext, payload: Any, code: str) -> None:
        """Keep that somebody tried what that account may not do."""
        audit.refuse(self.access.database, context, self.method_name, payload, code)

    def handed(self, context: CallContext, data: dict[str, Any]) -> dict[str, Any]:
        """Return what the method is handed: the payload."""
        return data

    def _audited(self, work: UnitOfWork, data: dict[str, Any]) -> Any:
        answer = self._in_worker(work, data)
        audit.record(work, self.method_name, data, answer)
        return answer


class Query(Call):
    """Reads, within one regency."""

    def perform(self, context: CallContext, data: dict[str, Any]) -> Any:
        """Read in a transaction that cannot write."""
        regency = own_regency(context)
        with (
            self.access.turnstile.turn(regency, context.remaining()),
            self.access.database.regency_work(regency, context=context, read_only=True) as work,
        ):
            return self._in_worker(work, data)


class AuditedQuery(Call):
    """Reads what nobody reads unseen: the audit row is written with it, and nothing of the answer is kept."""

    def perform(self, context: CallContext, data: dict[str, Any]) -> Any:
        """Read and record in one transaction: without the row there is no answer."""
        regency = own_regency(context)
        with (
            self.access.turnstile.turn(regency, context.remaining()),
            self.access.database.regency_work(regency, context=context) as work,
        ):
            answer = self._in_worker(work, data)
            audit.record(work, self.method_name, {}, None)
            return answer

    def refused(self, context: CallContext, payload: Any, code: str) -> None:
        """Keep that somebody tried what that account may not do."""
        audit.refuse(self.access.database, context, self.method_name, payload, code)


class PlatformQuery(Call):
    """Reads what belongs to no regency."""

    def perform(self, context: CallContext, data: dict[str, Any]) -> Any:
        """Run under the service's login, which may touch no regency's table."""
        with self.access.database.platform_work(context=context) as work:
            return self._in_worker(work, data)


class DirectCall(Call):
    """Opens its units of work itself (signing in: the user name tells the regency)."""

    def perform(self, context: CallContext, data: dict[str, Any]) -> Any:
        """Hand over the context instead of a unit of work."""
        return self._in_worker(context, data)


def authorise(rule: Rule | None, context: CallContext, payload: Any) -> None:
    """Apply a method's rule to who calls; whether a token that is shown is right, the method sees itself.

    :raises DomainError: ``regency_forbidden``, then ``role_forbidden``, also where there is no rule.
    """
    if context.regency is not None:
        own_regency(context)
    shows_token = isinstance(payload, dict) and payload.get("token") is not None
    if rule is None or not rule.admits(context.actor.role, shows_ticket_token=shows_token):
        raise DomainError("role_forbidden", roles=sorted(rule.roles) if rule else [])


def own_regency(context: CallContext) -> str:
    """Return the call's regency if its actor may act there.

    :raises DomainError: ``regency_unknown`` without one, ``regency_forbidden`` for another regency's actor.
    """
    if context.regency is None:
        raise DomainError("regency_unknown")
    if context.actor.role not in UNBOUND_ROLES and context.actor.regency != context.regency:
        raise DomainError("regency_forbidden")
    return context.regency


def run_in_worker(entrypoint: Any, arguments: tuple[Any, ...]) -> Any:
    """Run an entrypoint's method in a nameko worker and return or raise its outcome here."""
    done = Completion()

    def handle_result(worker_ctx: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
        done.send((result, exc_info))
        return result, exc_info

    entrypoint.container.spawn_worker(entrypoint, arguments, {}, handle_result=handle_result)
    result, exc_info = done.wait()
    if exc_info is not None:
        raise exc_info[1]
    if isinstance(result, _Raised):
        raise result.error
    return result


def _known_of(arguments: tuple[Any, ...]) -> dict[str, str]:
    """Return what a log line of a method should name; the worker is a thread that knows nothing of its caller's."""
    first, last = arguments[0], arguments[-1]
    context = getattr(first, "context", first)
    known = {"regency": getattr(context, "regency", None), "traceparent": getattr(context, "traceparent", None)}
    if isinstance(last, Envelope):
        known["event_id"] = last.id
    return {name: value for name, value in known.items() if value is not None}


def entrypoint(kind: type[Entrypoint], *options: Any, **more: Any) -> Callable[[Callable[..., Any]], Any]:
    def register(method: Callable[..., Any]) -> Any:
        def contained(service: Any, *arguments: Any) -> Any:
            try:
                with structlog.contextvars.bound_contextvars(**_known_of(arguments)):
                    return method(service, *arguments)
            except Exception as error:  # noqa: BLE001  (raised again outside the worker)
                return _Raised(error)

        contained.__name__, contained.__doc__ = method.__name__, method.__doc__
        return kind.decorator(*options, **more)(contained)

    return register


def command(
    schema: type[Schema],
    present: Present | None = None,
    *,
    recognise: Recognise | None = None,
    rule: Rule | None = None,
) -> Callable[[Callable[..., Any]], Any]:
    """Method ``(self, work, data) -> answer`` that changes something.

    ``present(settings, answer)`` completes an answer with what must not be stored with the command's result;
    ``recognise(settings, data)`` replaces what must not be hashed without a key in what a repeat is recognised by. ``rule`` is
    for services that stand in no table of rules.
    """
    return entrypoint(Command, schema=schema, present=present, recognise=recognise, rule=rule)


def audited_query(schema: type[Schema]) -> Callable[[Callable[..., Any]], Any]:
    """Method ``(self, work, data) -> answer`` that reads one regency, with a row in the audit log for each reading."""
    return entrypoint(AuditedQuery, schema=schema)


def query(schema: type[Schema], *, rule: Rule | None = None) -> Callable[[Callable[..., Any]], Any]:
    """Method ``(self, work, data) -> answer`` that reads one regency."""
    return entrypoint(Query, schema=schema, rule=rule)


def platform_query(schema: type[Schema]) -> Callable[[Callable[..., Any]], Any]:
    """Method ``(self, platform_work, data) -> answer`` that reads what belongs to no regency."""
    return entrypoint(PlatformQuery, schema=schema)


def direct_call(schema: type[Schema]) -> Callable[[Callable[..., Any]], Any]:
    """Method ``(self, context, data) -> answer`` that opens its units of work itself."""
    return entrypoint(DirectCall, schema=schema)
