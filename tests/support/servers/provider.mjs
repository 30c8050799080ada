// A certified OpenID provider (panva/node-oidc-provider) on loopback, for tests. Whoever types a name is let in as that name.
// Everything is in memory: started again, it knows no token any more.
// env: MODULES (where oidc-provider is installed), PORT, AT_TTL (seconds), ORDERS (a folder: while the file `closed` is there, all
// accounts are closed; while `brief` is, codes for devices are good for a second)
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
const library = await import(pathToFileURL(`${process.env.MODULES}/oidc-provider/lib/index.js`).href);
const Provider = library.Provider ?? library.default;
const port = Number(process.env.PORT);
const issuer = `http://127.0.0.1:${port}`;
const ttl = Number(process.env.AT_TTL ?? 3600);
const ordered = (what) => existsSync(`${process.env.ORDERS}/${what}`);
const scope = 'openid offline_access imap smtp crm';
const provider = new Provider(issuer, {
  clients: [
    { // what is signed in for: a public native client (RFC 8252)
      client_id: 'liaison-test', token_endpoint_auth_method: 'none', application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'], redirect_uris: ['http://127.0.0.1/callback'], scope },
    { // who asks whose a token is: Dovecot, the organisation
      client_id: 'rs', client_secret: 'rs-secret', grant_types: [], response_types: [], redirect_uris: [] },
  ],
  scopes: scope.split(' '),
  claims: { openid: ['sub'] },
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    resourceIndicators: { enabled: false },
  },
  issueRefreshToken: (ctx, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
  // Each refresh token is good once; a second use ends the sign-in.
  rotateRefreshToken: () => true,
  ttl: { AccessToken: ttl, DeviceCode: () => (ordered('brief') ? 1 : 600), RefreshToken: 14 * 86400,
         AuthorizationCode: 60, IdToken: 3600, Interaction: 3600, Session: 86400, Grant: 14 * 86400 },
  findAccount: (ctx, id) => (ordered('closed') ? undefined : { accountId: id, claims: () => ({ sub: id }) }),
  cookies: { keys: ['of-a-test-only'] },
});
provider.on('grant.success', (ctx) => console.log('granted', ctx.oidc.params.grant_type, ctx.oidc.params.scope ?? ''));
provider.on('grant.error', (ctx, error) => console.log('refused', ctx.oidc.params?.grant_type, error.message));
provider.on('server_error', (ctx, error) => console.log('broken', error));
provider.listen(port, '127.0.0.1', () => console.log('listening', issuer));
