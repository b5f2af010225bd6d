// What a resource tells a browser about reading it from another origin.

/** What a server that wants to be downloaded from in parts lets scripts read. */
export const EXPOSED = [
  'Accept-Ranges',
  'Content-Digest',
  'Content-Disposition',
  'Content-Encoding',
  'Content-Range',
  'ETag',
  'Repr-Digest',
  'Retry-After',
  'WWW-Authenticate',
];

export function corsHeaders({ cors, exposed }) {
  if (cors === 'none') return {};
  const headers = { 'Access-Control-Allow-Origin': '*' };
  if (cors === 'expose' && exposed.length > 0) headers['Access-Control-Expose-Headers'] = exposed.join(', ');
  return headers;
}

/** Answers an OPTIONS request: lets it pass, answers without allowing anything, or does not know the method. */
export function answerPreflight(resource, request, response) {
  if (resource.preflight === 'unknown') {
    response.writeHead(405, { 'Content-Length': 0 }).end();
    return;
  }
  const passes = (resource.preflight ?? (resource.cors === 'expose' ? 'pass' : 'refuse')) === 'pass';
  const allowed = passes && {
    'Access-Control-Allow-Methods': 'GET, HEAD',
    'Access-Control-Allow-Headers': request.headers['access-control-request-headers'] ?? '*',
  };
  response.writeHead(204, { ...corsHeaders(resource), ...allowed }).end();
}
