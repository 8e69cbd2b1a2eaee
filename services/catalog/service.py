"""The catalogue's calls. What they mean stands in the contracts (`services.contracts.catalog`) and in `usecases`."""

from typing import Any

from nameko.extensions import DependencyProvider

from services.catalog.usecases import entities, identity, loading, own_password, page_sessions, pairing, regencies, sessions
from services.catalog.usecases.snapshot import SNAPSHOT
from services.chassis.context import CallContext
from services.chassis.database import PlatformWork, UnitOfWork
from services.chassis.entrypoints import command, direct_call, platform_query, query
from services.chassis.extensions import settings
from services.chassis.service import Service
from services.contracts import catalog as contracts

Data = dict[str, Any]


class SessionsProvider(DependencyProvider):
    """The use cases of sessions, with keys that are made once."""

    def setup(self) -> None:
        """Make the keys; raises ``SettingsError`` without their secret."""
        self._sessions = sessions.Sessions(settings())

    def get_dependency(self, worker_ctx: Any) -> sessions.Sessions:
        """Hand them to a worker."""
        return self._sessions


class PageSessionsProvider(DependencyProvider):
    """The use cases of browsers' sessions."""

    def setup(self) -> None:
        """Make them; raises ``SettingsError`` without the secret of tokens."""
        configured = settings()
        self._sessions = page_sessions.PageSessions(configured, sessions.Sessions(configured))

    def get_dependency(self, worker_ctx: Any) -> page_sessions.PageSessions:
        """Hand them to a worker."""
        return self._sessions


class IdentityProvidersProvider(DependencyProvider):
    """The use cases of signing in with identity providers."""

    def setup(self) -> None:
        """Read their configuration; raises ``SettingsError`` for one that is unusable."""
        configured = settings()
        pages = page_sessions.PageSessions(configured, sessions.Sessions(configured))
        self._providers = identity.IdentityProviders(configured, pages)

    def get_dependency(self, worker_ctx: Any) -> identity.IdentityProviders:
        """Hand them to a worker."""
        return self._providers


class CatalogService(Service):
    """Owner of regencies, sites, agencies, public services, counters, special hours, staff accounts and devices."""

    name = "catalog"
    snapshot = SNAPSHOT
    sessions = SessionsProvider()
    page_sessions = PageSessionsProvider()
    identity_providers = IdentityProvidersProvider()

    @platform_query(contracts.ListRegencies)
    def list_regencies(self, work: PlatformWork, data: Data) -> Data:
        """All regencies of the platform."""
        return regencies.list_regencies(work)

    @platform_query(contracts.GetRegency)
    def get_regency(self, work: PlatformWork, data: Data) -> Data:
        """One regency."""
        return regencies.get_regency(work, data["regency"])

    @command(contracts.LoadRegency)
    def load_regency(self, work: UnitOfWork, data: Data) -> Data:
        """Bring in what a document says of a regency."""
        overwrite = data.get("overwrite", False)
        return loading.load_regency(work, data["document"], overwrite=overwrite, embedded=self.settings.embedded)

    @direct_call(contracts.SignIn)
    def sign_in(self, context: CallContext, data: Data) -> Data:
        """Begin a session."""
        return self.sessions.sign_in(self.database, context, data)

    @direct_call(contracts.RefreshSession)
    def refresh_session(self, context: CallContext, data: Data) -> Data:
        """Carry a session on."""
        return self.sessions.refresh(self.database, context, data)

    @direct_call(contracts.SignOut)
    def sign_out(self, context: CallContext, data: Data) -> Data:
        """End a session."""
        return self.sessions.sign_out(self.database, context, data)

    @direct_call(contracts.BeginPageSession)
    def begin_page_session(self, context: CallContext, data: Data) -> Data:
        """Begin a browser's session."""
        return self.page_sessions.sign_in(self.database, context, data)

    @direct_call(contracts.RenewPageSession)
    def renew_page_session(self, context: CallContext, data: Data) -> Data:
        """Carry a browser's session on."""
        return self.page_sessions.renew(self.database, context, data)

    @direct_call(contracts.EndPageSession)
    def end_page_session(self, context: CallContext, data: Data) -> Data:
        """End a browser's session."""
        return self.identity_providers.sign_out(self.database, context, data)

    @direct_call(contracts.ListIdentityProviders)
    def list_identity_providers(self, context: CallContext, data: Data) -> Data:
        """The identity providers."""
        return self.identity_providers.listed(context)

    @direct_call(contracts.BeginProviderSignIn)
    def begin_provider_sign_in(self, context: CallContext, data: Data) -> Data:
        """Begin to sign in with one."""
        return self.identity_providers.begin(data)

    @direct_call(contracts.FinishProviderSignIn)
    def finish_provider_sign_in(self, context: CallContext, data: Data) -> Data:
        """Finish it."""
        return self.identity_providers.finish(self.database, context, data)

    @direct_call(contracts.SetPassword)
    def set_password(self, context: CallContext, data: Data) -> Data:
        """Set one's own password."""
        return own_password.set_password(self.sessions, self.database, context, data)

    @command(contracts.CreateCode, present=own_password.with_code)
    def create_code(self, work: UnitOfWork, data: Data) -> Data:
        """Make a code that sets the password of an account."""
        return own_password.create_code(work, data)

    @direct_call(contracts.BeginPairing)
    def begin_pairing(self, context: CallContext, data: Data) -> Data:
        """Begin to pair a device."""
        return pairing.begin(self.sessions, self.database, context)

    @command(contracts.PairDevice)
    def pair_device(self, work: UnitOfWork, data: Data) -> Data:
        """Pair a device with the code that it shows."""
        return pairing.pair(work, data)

    @direct_call(contracts.ClaimPairing)
    def claim_pairing(self, context: CallContext, data: Data) -> Data:
        """Sign a paired device in."""
        return pairing.claim(self.sessions, self.database, context, data)

    @command(contracts.EndSessions)
    def end_sessions(self, work: UnitOfWork, data: Data) -> Data:
        """End all sessions of an account."""
        return sessions.end_of_account(work, data)

    @direct_call(contracts.GetTokenState)
    def get_token_state(self, context: CallContext, data: Data) -> Data:
        """What verifiers of access tokens must know."""
        return self.sessions.token_state(self.database, context)

    @query(contracts.ListSites)
    def list_sites(self, work: UnitOfWork, data: Data) -> Data:
        """A page of sites."""
        return entities.list_page(work, "site", data)

    @query(contracts.GetSite)
    def get_site(self, work: UnitOfWork, data: Data) -> Data:
        """One site."""
        return entities.get(work, "site", data["id"])

    @command(contracts.CreateSite)
    def create_site(self, work: UnitOfWork, data: Data) -> Data:
        """Add a site."""
        return entities.create(work, "site", data)

    @command(contracts.UpdateSite)
    def update_site(self, work: UnitOfWork, data: Data) -> Data:
        """Change a site."""
        return entities.update(work, "site", data)

    @query(contracts.ListAgencies)
    def list_agencies(self, work: UnitOfWork, data: Data) -> Data:
        """A page of agencies."""
        return entities.list_page(work, "agency", data)

    @query(contracts.GetAgency)
    def get_agency(self, work: UnitOfWork, data: Data) -> Data:
        """One agency."""
        return entities.get(work, "agency", data["id"])

    @command(contracts.CreateAgency)
    def create_agency(self, work: UnitOfWork, data: Data) -> Data:
        """Add an agency."""
        return entities.create(work, "agency", data)

    @command(contracts.UpdateAgency)
    def update_agency(self, work: UnitOfWork, data: Data) -> Data:
        """Change an agency."""
        return entities.update(work, "agency", data)

    @query(contracts.ListServices)
    def list_services(self, work: UnitOfWork, data: Data) -> Data:
        """A page of public services."""
        return entities.list_page(work, "service", data)

    @query(contracts.GetService)
    def get_service(self, work: UnitOfWork, data: Data) -> Data:
        """One public service."""
        return entities.get(work, "service", data["id"])

    @command(contracts.CreateService)
    def create_service(self, work: UnitOfWork, data: Data) -> Data:
        """Add a public service."""
        return entities.create(work, "service", data)

    @command(contracts.UpdateService)
    def update_service(self, work: UnitOfWork, data: Data) -> Data:
        """Change a public service."""
        return entities.update(work, "service", data)

    @query(contracts.ListCounters)
    def list_counters(self, work: UnitOfWork, data: Data) -> Data:
        """A page of counters."""
        return entities.list_page(work, "counter", data)

    @query(contracts.GetCounter)
    def get_counter(self, work: UnitOfWork, data: Data) -> Data:
        """One counter."""
        return entities.get(work, "counter", data["id"])

    @command(contracts.CreateCounter)
    def create_counter(self, work: UnitOfWork, data: Data) -> Data:
        """Add a counter."""
        return entities.create(work, "counter", data)

    @command(contracts.UpdateCounter)
    def update_counter(self, work: UnitOfWork, data: Data) -> Data:
        """Change a counter."""
        return entities.update(work, "counter", data)

    @query(contracts.ListHours)
    def list_hours(self, work: UnitOfWork, data: Data) -> Data:
        """A page of days with special hours."""
        return entities.list_page(work, "hours", data)

    @query(contracts.GetHours)
    def get_hours(self, work: UnitOfWork, data: Data) -> Data:
        """One entry of special hours."""
        return entities.get(work, "hours", data["id"])

    @command(contracts.CreateHours)
    def create_hours(self, work: UnitOfWork, data: Data) -> Data:
        """Add days with special hours."""
        return entities.create(work, "hours", data)

    @command(contracts.UpdateHours)
    def update_hours(self, work: UnitOfWork, data: Data) -> Data:
        """Change days with special hours."""
        return entities.update(work, "hours", data)

    @query(contracts.ListAccounts)
    def list_accounts(self, work: UnitOfWork, data: Data) -> Data:
        """A page of staff accounts."""
        return entities.list_page(work, "account", data)

    @query(contracts.GetAccount)
    def get_account(self, work: UnitOfWork, data: Data) -> Data:
        """One staff account."""
        return entities.get(work, "account", data["id"])

    @command(contracts.CreateAccount)
    def create_account(self, work: UnitOfWork, data: Data) -> Data:
        """Add a staff account."""
        return entities.create(work, "account", data)

    @command(contracts.UpdateAccount)
    def update_account(self, work: UnitOfWork, data: Data) -> Data:
        """Change a staff account."""
        return entities.update(work, "account", data)

    @query(contracts.ListDevices)
    def list_devices(self, work: UnitOfWork, data: Data) -> Data:
        """A page of devices."""
        return entities.list_page(work, "device", data)

    @query(contracts.GetDevice)
    def get_device(self, work: UnitOfWork, data: Data) -> Data:
        """One device."""
        return entities.get(work, "device", data["id"])

    @command(contracts.CreateDevice)
    def create_device(self, work: UnitOfWork, data: Data) -> Data:
        """Add a device."""
        return entities.create(work, "device", data)

    @command(contracts.UpdateDevice)
    def update_device(self, work: UnitOfWork, data: Data) -> Data:
        """Change a device."""
        return entities.update(work, "device", data)
