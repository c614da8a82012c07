// Runs the npm package oidc-provider of the folder in argv[2] on 127.0.0.1, with
// the certificate and key in argv[3] and argv[4]. A line on standard input
// "disable LOGIN" takes somebody away, "groups LOGIN A,B" changes their groups.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const found = createRequire(process.argv[2] + "/").resolve("oidc-provider");
const { Provider } = await import(pathToFileURL(found).href);

const people = new Map([
  ["a.moreno", { name: "Alba Moreno", groups: ["evidence-admins", "choir"] }],
  ["b.okafor", { name: "Bayo Okafor", groups: ["evidence-operators"] }],
]);
const server = createServer({ cert: readFileSync(process.argv[3]), key: readFileSync(process.argv[4]) });
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `https://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [{
    client_id: "sealdock", client_secret: "kettle-basalt-forty", redirect_uris: ["https://evidence.example.org/sign-in/oidc/back"],
    grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
  }],
  pkce: { required: () => true },
  claims: { openid: ["sub"], profile: ["name", "preferred_username", "groups"] },
  scopes: ["openid", "offline_access", "profile"],
  rotateRefreshToken: true,
  issueRefreshToken: async () => true,
  findAccount: async (ctx, id) => people.has(id) ? {
    accountId: id,
    claims: async () => ({ sub: id, preferred_username: id, ...people.get(id) }),
  } : undefined,
});
server.on("request", provider.callback());
createInterface({ input: process.stdin }).on("line", (line) => {
  const [what, login, groups] = line.split(" ");
  if (what === "disable") people.delete(login);
  if (what === "groups") people.get(login).groups = groups.split(",");
  console.log("done");
}).on("close", () => process.exit(0));
console.log(issuer);
