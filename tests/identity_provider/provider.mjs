// A certified OpenID provider (npm: oidc-provider) with people, clients and keys of a file, read again at each sign-in.
// node provider.mjs configuration.json
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const read = () => JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { issuer, port, clients, jwks } = read();

const provider = new Provider(issuer, {
  clients,
  jwks,
  claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'groups', 'realm_access'] },
  conformIdTokenClaims: read().claimsOnlyFromUserinfo === true,
  cookies: { keys: ['a key of the tests alone'] },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
  features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
  async findAccount(_context, id) {
    const person = read().people[id];
    return person && { accountId: id, claims: async () => ({ sub: id, ...person.claims }) };
  },
  async loadExistingGrant(context) {
    const { client, session, provider: own } = context.oidc;
    const grant = new own.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid profile');
    await grant.save();
    return grant;
  },
});

const form = (wrong) => `<!doctype html><html lang="en"><title>Sign in</title><h1>Identity provider</h1>${wrong ? '<p role="alert">Wrong</p>' : ''}
<form method="post"><label>Login <input name="login"></label><label>Secret <input name="secret" type="password"></label>
<button name="do" value="sign-in">Sign in</button><button name="do" value="cancel">Cancel</button></form>`;

async function interact(request, response) {
  if (request.method !== 'POST') {
    response.setHeader('Content-Type', 'text/html');
    response.end(form(false));
    return;
  }
  let body = '';
  for await (const part of request) body += part;
  const fields = new URLSearchParams(body);
  if (fields.get('do') === 'cancel') {
    await provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'cancelled' });
    return;
  }
  const person = read().people[fields.get('login')];
  if (!person || person.secret !== fields.get('secret')) {
    response.setHeader('Content-Type', 'text/html');
    response.end(form(true));
    return;
  }
  await provider.interactionFinished(request, response, { login: { accountId: fields.get('login') } });
}

const callback = provider.callback();
const server = createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) callback(request, response);
  else interact(request, response).catch((error) => { response.statusCode = 400; response.end(String(error.message)); });
});
server.listen(port, '127.0.0.1', () => console.log('listening'));
process.on('SIGTERM', () => process.exit(0));
