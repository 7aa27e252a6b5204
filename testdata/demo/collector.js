// The server that the evil package of the demo sends its loot to. It appends what
// it gets to FILE and writes its port to PORTFILE.
//
// usage: node collector.js FILE PORTFILE
'use strict';

const fs = require('fs');
const http = require('http');

const [file, portFile] = process.argv.slice(2);
const server = http.createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => (body += chunk));
  request.on('end', () => {
    fs.appendFileSync(file, `${body}\n`);
    response.end('thanks\n');
  });
});
server.listen(0, '127.0.0.1', () => {
  fs.writeFileSync(`${portFile}.new`, `${server.address().port}\n`);
  fs.renameSync(`${portFile}.new`, portFile);
});
