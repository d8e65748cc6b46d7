// What node-zookeeper-client offers, once each: tools/check-latest runs it. It says how each check ended, one JSON object
// a line, as the other programs here do.
//
//	NODE_PATH=.../node_modules node api_check.js HOST:PORT
"use strict";

const assert = require("assert");
const { promisify } = require("util");
const zookeeper = require("node-zookeeper-client");

const { CreateMode, Event, Exception, ACL, Permission, Id } = zookeeper;
const ROOT = "/node";
const DEADLINE_MS = 20000;
const SESSION_MS = 10000;

function say(event, more) {
	process.stdout.write(JSON.stringify(Object.assign({ event }, more)) + "\n");
}

function within(promise, what) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error("waited too long for " + what)), DEADLINE_MS);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// The client's methods as promises; a method that gives several values gives the list of them.
class Client {
	constructor(server) {
		this.client = zookeeper.createClient(server, { sessionTimeout: SESSION_MS, retries: 3 });
	}

	connect() {
		const connected = new Promise((resolve) => this.client.once("connected", resolve));
		this.client.connect();
		return within(connected, "the session");
	}

	close() {
		const gone = new Promise((resolve) => this.client.once("disconnected", resolve));
		this.client.close();
		return within(gone, "the end of the session");
	}

	call(method, ...rest) {
		return within(new Promise((resolve, reject) => {
			this.client[method](...rest, (error, ...values) => {
				if (error) {
					reject(error);
				} else {
					resolve(values.length > 1 ? values : values[0]);
				}
			});
		}), method);
	}

	commit(transaction) {
		return within(promisify(transaction.commit).call(transaction), "commit");
	}
}

async function refused(promise, code) {
	const error = await promise.then(() => null, (why) => why);
	assert.ok(error, "was not refused");
	assert.strictEqual(error.code, code, String(error));
	return error;
}

// A watcher, and the event it will see.
function watch() {
	let watcher;
	const seen = within(new Promise((resolve) => { watcher = resolve; }), "an event");
	return { watcher, seen };
}

async function fired(seen, type, path) {
	const event = await seen;
	assert.strictEqual(event.type, type);
	assert.strictEqual(event.path, path);
}

const checks = {
	async modes(zk) {
		assert.strictEqual(await zk.call("create", ROOT), ROOT);
		const dir = ROOT + "/modes";
		await zk.call("create", dir, Buffer.from("d"), CreateMode.PERSISTENT);
		const path = (mode) => zk.call("create", dir + "/" + mode + "-", Buffer.from(mode), CreateMode[mode]);
		assert.strictEqual(await path("PERSISTENT"), dir + "/PERSISTENT-");
		assert.strictEqual(await path("EPHEMERAL"), dir + "/EPHEMERAL-");
		assert.strictEqual(await path("PERSISTENT_SEQUENTIAL"), dir + "/PERSISTENT_SEQUENTIAL-0000000002");
		assert.strictEqual(await path("EPHEMERAL_SEQUENTIAL"), dir + "/EPHEMERAL_SEQUENTIAL-0000000003");
		const [data, stat] = await zk.call("getData", dir + "/EPHEMERAL-");
		assert.strictEqual(data.toString(), "EPHEMERAL");
		assert.ok(stat.ephemeralOwner.equals(zk.client.getSessionId()), "owned by another");
	},

	async errors(zk) {
		await refused(zk.call("create", ROOT), Exception.NODE_EXISTS);
		await refused(zk.call("getData", ROOT + "/none"), Exception.NO_NODE);
		await refused(zk.call("remove", ROOT), Exception.NOT_EMPTY);
		await refused(zk.call("setData", ROOT, Buffer.from("x"), 7), Exception.BAD_VERSION);
		await refused(zk.call("create", ROOT + "/modes/EPHEMERAL-/child"), Exception.NO_CHILDREN_FOR_EPHEMERALS);
	},

	async data(zk) {
		const path = ROOT + "/data";
		await zk.call("create", path, Buffer.from([0, 255, 1]));
		let [data, stat] = await zk.call("getData", path);
		assert.deepStrictEqual([...data], [0, 255, 1]);
		assert.strictEqual(stat.version, 0);
		stat = await zk.call("setData", path, Buffer.alloc(100000, 7), 0);
		assert.strictEqual(stat.version, 1);
		assert.strictEqual(stat.dataLength, 100000);
		[data] = await zk.call("getData", path);
		assert.ok(data.equals(Buffer.alloc(100000, 7)), "other bytes");
		stat = await zk.call("exists", path);
		assert.strictEqual(stat.version, 1);
		assert.strictEqual(await zk.call("exists", ROOT + "/none"), null);
	},

	async children(zk) {
		const dir = ROOT + "/children";
		await zk.call("mkdirp", dir + "/a/b");
		await zk.call("create", dir + "/c");
		const [names, stat] = await zk.call("getChildren", dir);
		assert.deepStrictEqual(names.sort(), ["a", "c"]);
		assert.strictEqual(stat.numChildren, 2);
	},

	async watches(zk, other) {
		const path = ROOT + "/watched";
		let { watcher, seen } = watch();
		await zk.call("exists", path, watcher);
		await other.call("create", path);
		await fired(seen, Event.NODE_CREATED, path);
		({ watcher, seen } = watch());
		await zk.call("getData", path, watcher);
		await other.call("setData", path, Buffer.from("new"));
		await fired(seen, Event.NODE_DATA_CHANGED, path);
		({ watcher, seen } = watch());
		await zk.call("getChildren", path, watcher);
		await other.call("create", path + "/child");
		await fired(seen, Event.NODE_CHILDREN_CHANGED, path);
		({ watcher, seen } = watch());
		await zk.call("exists", path + "/child", watcher);
		await other.call("remove", path + "/child");
		await fired(seen, Event.NODE_DELETED, path + "/child");
	},

	async multi(zk) {
		const path = ROOT + "/multi";
		const results = await zk.commit(zk.client.transaction().create(path).setData(path, Buffer.from("v"), 0)
			.create(path + "/e", Buffer.from("e"), CreateMode.EPHEMERAL).check(path, 1).remove(path + "/e", -1));
		assert.strictEqual(results.length, 5);
		assert.strictEqual((await zk.call("getData", path))[0].toString(), "v");
		assert.deepStrictEqual((await zk.call("getChildren", path))[0], []);
	},

	async multi_fails(zk) {
		const path = ROOT + "/multi-fails";
		await refused(zk.commit(zk.client.transaction().create(path).check(ROOT, 99).remove(path)),
			Exception.BAD_VERSION);
		assert.strictEqual(await zk.call("exists", path), null);
	},

	async acl_digest(zk, other) {
		const path = ROOT + "/acl";
		zk.client.addAuthInfo("digest", Buffer.from("node:secret"));
		await zk.call("create", path, Buffer.from("s"), [new ACL(Permission.ALL, new Id("auth", ""))]);
		const [acls] = await zk.call("getACL", path);
		assert.strictEqual(acls.length, 1);
		assert.strictEqual(acls[0].id.scheme, "digest");
		await refused(other.call("getData", path), Exception.NO_AUTH);
		await zk.call("setACL", path, ACL.OPEN_ACL_UNSAFE, 0);
		assert.strictEqual((await other.call("getData", path))[0].toString(), "s");
	},

	async ephemeral_goes(zk, other, connect) {
		const owner = await connect();
		const path = ROOT + "/mortal";
		await owner.call("create", path, null, CreateMode.EPHEMERAL);
		const { watcher, seen } = watch();
		await zk.call("exists", path, watcher);
		await owner.close();
		await fired(seen, Event.NODE_DELETED, path);
	},

	async remove(zk) {
		const path = ROOT + "/data";
		await refused(zk.call("remove", path, 9), Exception.BAD_VERSION);
		await zk.call("remove", path, 1);
		assert.strictEqual(await zk.call("exists", path), null);
		const parent = ROOT + "/children";
		await refused(zk.call("remove", parent), Exception.NOT_EMPTY);
		for (const each of ["/a/b", "/a", "/c", ""]) {
			await zk.call("remove", parent + each);
		}
		assert.strictEqual(await zk.call("exists", parent), null);
	},
};

async function main(server) {
	const connect = async () => {
		const client = new Client(server);
		await client.connect();
		return client;
	};
	const zk = await connect();
	const other = await connect();
	let good = true;
	for (const [name, check] of Object.entries(checks)) {
		try {
			await check(zk, other, connect);
			say("check", { name, ok: true });
		} catch (error) {
			good = false;
			say("check", { name, ok: false, why: String(error.stack) });
		}
	}
	await other.close();
	await zk.close();
	say("done");
	process.exit(good ? 0 : 1);
}

main(process.argv[2]).catch((error) => {
	process.stderr.write(String(error.stack) + "\n");
	process.exit(2);
});
