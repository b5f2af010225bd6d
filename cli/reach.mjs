// Why there was no answer, in a sentence that says what to change.

const CAUSES = [
  [['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_NONAME'], 'unknown-host', ({ hostname }) => `No address is known for ${hostname}.`, 'Check the spelling of the host, its DNS record, and that this machine is online.'],
  [['ECONNREFUSED'], 'connection-refused', ({ host, port }) => `${host} refused the connection: nothing listens on port ${port}.`, 'Start the server, or correct the port.'],
  [['timeout', 'ETIMEDOUT'], 'timeout', ({ host }) => `${host} gave no answer in time.`, 'Check that no firewall drops the connection. Is the server only slow? Then give --timeout more seconds.'],
  [['EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'EINVAL'], 'unreachable', ({ host }) => `There is no route to ${host}.`, 'Check the network of this machine, and VPNs.'],
  [['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'], 'tls-self-signed', ({ host }) => `The certificate of ${host} is self-signed: browsers refuse it.`, 'Install one of a public authority, such as Let\'s Encrypt. Is it your own authority? Then name its file in NODE_EXTRA_CA_CERTS.'],
  [['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CERT_UNTRUSTED'], 'tls-untrusted', ({ host }) => `The certificate of ${host} leads to no authority that is known.`, 'Let the server send the whole chain (fullchain.pem), not only its own certificate.'],
  [['CERT_HAS_EXPIRED'], 'tls-expired', ({ host }) => `The certificate of ${host} has expired.`, 'Renew it.'],
  [['CERT_NOT_YET_VALID'], 'tls-expired', ({ host }) => `The certificate of ${host} is not valid yet.`, 'Correct the clock of this machine, or the certificate.'],
  [['ERR_TLS_CERT_ALTNAME_INVALID'], 'tls-wrong-name', ({ host, hostname }) => `The certificate of ${host} is for another name.`, ({ hostname }) => `Install one that names ${hostname}, or use the name that it has.`],
  [['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'], 'tls-failed', ({ host }) => `${host} does not speak TLS as browsers do.`, 'Is it a port for http:? Then write http:. Else allow TLS 1.2 or later.'],
];

/** `{ code, seen, change }` for the error of an answer that did not come. */
export function unreachable({ url, error }) {
  const { host, hostname, port, protocol } = new URL(url);
  const where = { host, hostname, port: port || (protocol === 'https:' ? 443 : 80) };
  const say = (text) => (typeof text === 'function' ? text(where) : text);
  const found = CAUSES.find(([errors]) => errors.includes(error));
  if (found) return { code: found[1], seen: say(found[2]), change: say(found[3]) };
  if (error.startsWith('ERR_SSL')) return { code: 'tls-failed', seen: `TLS with ${host} failed (${error}).`, change: 'Allow TLS 1.2 or later.' };
  if (error.startsWith('HPE_')) return { code: 'not-http', seen: `What ${host} answered is no HTTP/1.1 (${error}).`, change: 'Check the port, and that a server for https: is asked by https:.' };
  return { code: 'connection-lost', seen: `${host} ended the connection without an answer (${error}).`, change: `Look into the log of the server, or of the proxy before it. Is the port one for ${protocol === 'https:' ? 'http:' : 'https:'}?` };
}
