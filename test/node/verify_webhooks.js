// Verifies requests with the reference library of Standard Webhooks.  Standard input: an
// array of { name, secret, headers, body }; standard output: "NAME: ok TYPE", or
// "NAME: refused REASON", a line each.
const { Webhook } = require('standardwebhooks');

const chunks = [];
process.stdin.on('data', (chunk) => chunks.push(chunk));
process.stdin.on('end', () => {
  for (const request of JSON.parse(Buffer.concat(chunks).toString('utf8'))) {
    try {
      const event = new Webhook(request.secret).verify(request.body, request.headers);
      console.log(`${request.name}: ok ${event.type}`);
    } catch (error) {
      console.log(`${request.name}: refused ${error.message}`);
    }
  }
});
