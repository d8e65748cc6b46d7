package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/samuel/go-zookeeper/zk"
)

// The tour: each check uses the library as programs do and says "check" with its name and, where it failed, why. For
// what only the test can do (cutting the connection, changing znodes meanwhile) it says "ask" and reads a line.
type tour struct {
	o     options
	a, b  *zk.Conn // two sessions
	root  string
	input *bufio.Reader
	other *options // a certificate with another name, for x509 ACLs
}

const patience = 20 * time.Second

type failure string

func must(err error, what string) {
	if err != nil {
		panic(failure(fmt.Sprintf("%s: %v", what, err)))
	}
}

func want(ok bool, format string, args ...interface{}) {
	if !ok {
		panic(failure(fmt.Sprintf(format, args...)))
	}
}

func wantErr(err, expected error, what string) {
	want(err == expected, "%s: got %v, want %v", what, err, expected)
}

var open = zk.WorldACL(zk.PermAll)

func runAPI(args []string) error {
	t := &tour{root: "/go-api", input: bufio.NewReader(os.Stdin), other: &options{}}
	flags := flag.NewFlagSet("api", flag.ExitOnError)
	t.o.register(flags)
	flags.StringVar(&t.other.cert, "other-cert", "", "certificate of another name")
	flags.StringVar(&t.other.key, "other-key", "", "its key")
	flags.Parse(args)
	*t.other = options{server: t.o.server, ca: t.o.ca, cert: t.other.cert, key: t.other.key, timeout: t.o.timeout}

	t.a = connect(&t.o)
	t.b = connect(&t.o)
	_, err := t.a.Create(t.root, []byte{}, 0, open)
	must(err, "create "+t.root)
	checks := []struct {
		name string
		run  func()
	}{
		{"crud", t.crud},
		{"errors", t.errors},
		{"data", t.data},
		{"children", t.children},
		{"sequence", t.sequence},
		{"ephemeral", t.ephemeral},
		{"protected", t.protected},
		{"watches", t.watches},
		{"multi", t.multi},
		{"multi_fails", t.multiFails},
		{"acl_digest", t.aclDigest},
		{"acl_x509", t.aclX509},
		{"sync", t.sync},
		{"lock", t.lock},
		{"reconnect", t.reconnect},
		{"close", t.closeDrops},
	}
	for _, c := range checks {
		run(c.name, c.run)
	}
	t.a.Close()
	t.b.Close()
	say("done", nil)
	return nil
}

func run(name string, check func()) {
	defer func() {
		switch f := recover().(type) {
		case nil:
			say("check", fields{"name": name, "ok": true})
		case failure:
			say("check", fields{"name": name, "ok": false, "why": string(f)})
		default:
			panic(f)
		}
	}()
	check()
}

// connect waits for the session.
func connect(o *options) *zk.Conn {
	ready := make(chan struct{}, 1)
	c, err := o.dial(func(e zk.Event) {
		if e.State == zk.StateHasSession {
			select {
			case ready <- struct{}{}:
			default:
			}
		}
	})
	must(err, "dial")
	select {
	case <-ready:
	case <-time.After(patience):
		panic("no session")
	}
	return c
}

// next waits for the event of a watch.
func next(ch <-chan zk.Event, kind zk.EventType, path string) {
	select {
	case e := <-ch:
		want(e.Type == kind && e.Path == path && e.Err == nil, "event %v of %s (%v), want %v of %s",
			e.Type, e.Path, e.Err, kind, path)
	case <-time.After(patience):
		panic(failure(fmt.Sprintf("no %v of %s", kind, path)))
	}
}

func (t *tour) ask(what string, more fields) {
	say("ask", fields{"what": what, "more": more})
	_, err := t.input.ReadString('\n')
	must(err, "answer to "+what)
}

func (t *tour) node(name string) string {
	path := t.root + "/" + name
	_, err := t.a.Create(path, []byte{}, 0, open)
	must(err, "create "+path)
	return path
}

func (t *tour) crud() {
	path := t.root + "/crud"
	got, err := t.a.Create(path, []byte("one"), 0, open)
	must(err, "create")
	want(got == path, "created %q", got)
	data, stat, err := t.b.Get(path)
	must(err, "get")
	want(string(data) == "one", "data %q", data)
	want(stat.Version == 0 && stat.Czxid > 0 && stat.Czxid == stat.Mzxid && stat.Czxid == stat.Pzxid &&
		stat.Ctime == stat.Mtime && stat.DataLength == 3 && stat.EphemeralOwner == 0, "stat %+v", *stat)
	changed, err := t.b.Set(path, []byte("four"), 0)
	must(err, "set")
	want(changed.Version == 1 && changed.Mzxid > stat.Mzxid && changed.Czxid == stat.Czxid &&
		changed.DataLength == 4 && changed.Pzxid == stat.Pzxid, "stat after set %+v", *changed)
	there, stat, err := t.a.Exists(path)
	must(err, "exists")
	want(there && *stat == *changed, "exists %v %+v", there, *stat)
	must(t.a.Delete(path, 1), "delete")
	there, _, err = t.b.Exists(path)
	must(err, "exists")
	want(!there, "still there")
}

func (t *tour) errors() {
	path := t.node("errors")
	_, err := t.a.Create(path, nil, 0, open)
	wantErr(err, zk.ErrNodeExists, "create twice")
	_, err = t.a.Create(path+"/no/child", nil, 0, open)
	wantErr(err, zk.ErrNoNode, "create without parent")
	_, _, err = t.a.Get(path + "/no")
	wantErr(err, zk.ErrNoNode, "get")
	_, err = t.a.Set(path, nil, 7)
	wantErr(err, zk.ErrBadVersion, "set")
	wantErr(t.a.Delete(path, 7), zk.ErrBadVersion, "delete")
	_, err = t.a.Create(path+"/child", nil, zk.FlagEphemeral, open)
	must(err, "create ephemeral")
	wantErr(t.a.Delete(path, -1), zk.ErrNotEmpty, "delete parent")
	_, err = t.a.Create(path+"/child/below", nil, 0, open)
	wantErr(err, zk.ErrNoChildrenForEphemerals, "create below ephemeral")
	_, err = t.a.Create(path+"/acl", nil, 0, []zk.ACL{})
	wantErr(err, zk.ErrInvalidACL, "create without ACL")
}

func (t *tour) data() {
	path := t.node("data")
	for _, size := range []int{0, 1, 1023, 65536, 900 * 1024} {
		value := bytes.Repeat([]byte{0, 0xff, 'z'}, size/3+1)[:size]
		_, err := t.a.Set(path, value, -1)
		must(err, "set")
		got, stat, err := t.b.Get(path)
		must(err, "get")
		want(bytes.Equal(got, value) && int(stat.DataLength) == size, "%d bytes came back as %d", size, len(got))
	}
	must(t.a.Delete(path, 5), "delete")
}

func (t *tour) children() {
	path := t.node("children")
	var names []string
	for i := 0; i < 300; i++ {
		name := fmt.Sprintf("dubbo%%3A%%2F%%2F10.0.0.%d%%3A20880%%2Fü", i)
		names = append(names, name)
		_, err := t.a.Create(path+"/"+name, nil, 0, open)
		must(err, "create "+name)
	}
	got, stat, err := t.b.Children(path)
	must(err, "children")
	sort.Strings(got)
	sort.Strings(names)
	want(strings.Join(got, " ") == strings.Join(names, " "), "%d children, other than made", len(got))
	want(stat.NumChildren == 300 && stat.Cversion == 300, "stat %+v", *stat)
}

func (t *tour) sequence() {
	path := t.node("sequence")
	last := ""
	for i := 0; i < 5; i++ {
		got, err := t.a.Create(path+"/s-", nil, zk.FlagSequence, open)
		must(err, "create")
		want(got == fmt.Sprintf("%s/s-%010d", path, i), "number %d is %s", i, got)
		want(got > last, "%s not above %s", got, last)
		last = got
	}
	must(t.a.Delete(last, -1), "delete")
	got, err := t.b.Create(path+"/s-", nil, zk.FlagSequence|zk.FlagEphemeral, open)
	must(err, "create")
	want(got == fmt.Sprintf("%s/s-%010d", path, 5), "after a delete: %s", got)
}

func (t *tour) ephemeral() {
	path := t.root + "/ephemeral"
	_, err := t.a.Create(path, []byte("x"), zk.FlagEphemeral, open)
	must(err, "create")
	_, stat, err := t.b.Get(path)
	must(err, "get")
	want(stat.EphemeralOwner == t.a.SessionID(), "owner %x, session %x", stat.EphemeralOwner, t.a.SessionID())
	must(t.b.Delete(path, -1), "delete by another session")
}

func (t *tour) protected() {
	path := t.node("protected")
	got, err := t.a.CreateProtectedEphemeralSequential(path+"/p-", []byte("x"), open)
	must(err, "create")
	want(strings.HasPrefix(got, path+"/_c_") && strings.HasSuffix(got, "-p-0000000000"), "made %s", got)
	_, stat, err := t.b.Get(got)
	must(err, "get")
	want(stat.EphemeralOwner == t.a.SessionID(), "owner %x", stat.EphemeralOwner)
}

func (t *tour) watches() {
	path := t.node("watches")
	child := path + "/child"
	there, _, made, err := t.a.ExistsW(child)
	must(err, "exists")
	want(!there, "child is there")
	_, _, list, err := t.a.ChildrenW(path)
	must(err, "children")
	_, err = t.b.Create(child, []byte("1"), 0, open)
	must(err, "create")
	next(made, zk.EventNodeCreated, child)
	next(list, zk.EventNodeChildrenChanged, path)

	_, _, data, err := t.a.GetW(child)
	must(err, "get")
	_, err = t.b.Set(child, []byte("2"), -1)
	must(err, "set")
	next(data, zk.EventNodeDataChanged, child)

	_, _, gone, err := t.a.GetW(child)
	must(err, "get")
	_, _, list, err = t.a.ChildrenW(path)
	must(err, "children")
	must(t.b.Delete(child, -1), "delete")
	next(gone, zk.EventNodeDeleted, child)
	next(list, zk.EventNodeChildrenChanged, path)
}

func (t *tour) multi() {
	path := t.node("multi")
	res, err := t.a.Multi(
		&zk.CreateRequest{Path: path + "/a", Data: []byte("a"), Acl: open},
		&zk.CreateRequest{Path: path + "/a/s-", Acl: open, Flags: zk.FlagSequence},
		&zk.SetDataRequest{Path: path + "/a", Data: []byte("aa"), Version: 0},
		&zk.CheckVersionRequest{Path: path + "/a", Version: 1},
		&zk.CreateRequest{Path: path + "/b", Acl: open},
		&zk.DeleteRequest{Path: path + "/b", Version: -1},
	)
	must(err, "multi")
	want(len(res) == 6, "%d results", len(res))
	want(res[0].String == path+"/a" && res[1].String == path+"/a/s-0000000000", "results %+v", res)
	want(res[2].Stat != nil && res[2].Stat.Version == 1 && res[2].Stat.Czxid == res[2].Stat.Mzxid,
		"one multi, one zxid: %+v", res[2].Stat)
	data, stat, err := t.b.Get(path + "/a")
	must(err, "get")
	want(string(data) == "aa" && stat.Mzxid == res[2].Stat.Mzxid && stat.NumChildren == 1, "get %q %+v", data, *stat)
	there, _, err := t.b.Exists(path + "/b")
	must(err, "exists")
	want(!there, "deleted in the multi, still there")
}

func (t *tour) multiFails() {
	path := t.node("multi-fails")
	res, err := t.a.Multi(
		&zk.CreateRequest{Path: path + "/a", Acl: open},
		&zk.CheckVersionRequest{Path: path, Version: 9},
		&zk.DeleteRequest{Path: path, Version: -1},
	)
	wantErr(err, zk.ErrBadVersion, "multi")
	want(len(res) == 3 && res[0].Error == nil && res[1].Error == zk.ErrBadVersion && res[2].Error != nil,
		"results %+v", res)
	children, _, err := t.b.Children(path)
	must(err, "children")
	want(len(children) == 0, "half a multi: %v", children)
}

func (t *tour) aclDigest() {
	c := connect(&t.o)
	defer c.Close()
	path := t.root + "/digest"
	must(c.AddAuth("digest", []byte("anna:secret")), "add auth")
	_, err := c.Create(path, []byte("x"), 0, zk.DigestACL(zk.PermAll, "anna", "secret"))
	must(err, "create")
	_, _, err = t.b.Get(path)
	wantErr(err, zk.ErrNoAuth, "get by a stranger")
	wantErr(func() error { _, err := t.b.Set(path, nil, -1); return err }(), zk.ErrNoAuth, "set by a stranger")
	data, _, err := c.Get(path)
	must(err, "get")
	want(string(data) == "x", "data %q", data)
	acl, stat, err := c.GetACL(path)
	must(err, "get ACL")
	want(len(acl) == 1 && acl[0] == zk.DigestACL(zk.PermAll, "anna", "secret")[0], "ACL %+v", acl)
	_, err = c.SetACL(path, zk.WorldACL(zk.PermRead), stat.Aversion+1)
	wantErr(err, zk.ErrBadVersion, "set ACL")
	stat, err = c.SetACL(path, zk.WorldACL(zk.PermRead), stat.Aversion)
	must(err, "set ACL")
	want(stat.Aversion == 1 && stat.Version == 0, "stat %+v", *stat)
	_, _, err = t.b.Get(path)
	must(err, "get by a stranger who may")
	wantErr(func() error { _, err := c.Set(path, nil, -1); return err }(), zk.ErrNoAuth, "set by nobody's right")
}

// The name in the certificate, as the x509 scheme knows it.
func subject(o *options) string {
	pair, err := tls.LoadX509KeyPair(o.cert, o.key)
	must(err, "load certificate")
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	must(err, "parse certificate")
	return cert.Subject.String()
}

func (t *tour) aclX509() {
	path := t.root + "/x509"
	mine := []zk.ACL{{Perms: zk.PermAll, Scheme: "x509", ID: subject(&t.o)}}
	_, err := t.a.Create(path, []byte("x"), 0, mine)
	must(err, "create")
	other := connect(t.other)
	defer other.Close()
	_, _, err = other.Get(path)
	wantErr(err, zk.ErrNoAuth, "get with another certificate")
	data, _, err := t.b.Get(path)
	must(err, "get with the same certificate")
	want(string(data) == "x", "data %q", data)
	auth := t.root + "/x509-auth"
	_, err = t.a.Create(auth, nil, 0, zk.AuthACL(zk.PermAll))
	must(err, "create with scheme auth")
	acl, _, err := t.b.GetACL(auth)
	must(err, "get ACL")
	found := false
	for _, a := range acl {
		found = found || a == mine[0]
	}
	want(found, "ACL %+v", acl)
}

func (t *tour) sync() {
	path := t.node("sync")
	got, err := t.a.Sync(path)
	must(err, "sync")
	want(got == path, "synced %q", got)
}

func (t *tour) lock() {
	path := t.root + "/lock/deep"
	first, second := zk.NewLock(t.a, path, open), zk.NewLock(t.b, path, open)
	must(first.Lock(), "first lock")
	wantErr(first.Lock(), zk.ErrDeadlock, "lock twice")
	held := make(chan error, 1)
	go func() { held <- second.Lock() }()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		waiting, _, err := t.a.Children(path)
		must(err, "children")
		if len(waiting) == 2 {
			break
		}
		want(time.Now().Before(deadline), "second never queued")
	}
	select {
	case err := <-held:
		panic(failure(fmt.Sprintf("second has it too: %v", err)))
	default:
	}
	must(first.Unlock(), "unlock")
	select {
	case err := <-held:
		must(err, "second lock")
	case <-time.After(patience):
		panic(failure("second never got it"))
	}
	must(second.Unlock(), "unlock")
}

// What happened while the connection was away comes with the resumed session: setWatches.
func (t *tour) reconnect() {
	path := t.node("reconnect")
	for _, name := range []string{"changed", "deleted", "same"} {
		_, err := t.a.Create(path+"/"+name, []byte("1"), 0, open)
		must(err, "create "+name)
	}
	own := path + "/own"
	_, err := t.a.Create(own, nil, zk.FlagEphemeral, open)
	must(err, "create own")
	session := t.a.SessionID()
	_, _, changed, err := t.a.GetW(path + "/changed")
	must(err, "watch changed")
	_, _, deleted, err := t.a.GetW(path + "/deleted")
	must(err, "watch deleted")
	_, _, made, err := t.a.ExistsW(path + "/made")
	must(err, "watch made")
	_, _, list, err := t.a.ChildrenW(path)
	must(err, "watch children")
	_, _, same, err := t.a.GetW(path + "/same")
	must(err, "watch same")
	t.ask("cut", fields{"set": path + "/changed", "delete": path + "/deleted", "create": path + "/made"})
	next(changed, zk.EventNodeDataChanged, path+"/changed")
	next(deleted, zk.EventNodeDeleted, path+"/deleted")
	next(made, zk.EventNodeCreated, path+"/made")
	next(list, zk.EventNodeChildrenChanged, path)
	there, stat, err := t.a.Exists(own)
	must(err, "exists")
	want(there && stat.EphemeralOwner == session && t.a.SessionID() == session, "the session is another")
	select {
	case e := <-same:
		panic(failure(fmt.Sprintf("nothing changed, yet %v of %s", e.Type, e.Path)))
	default:
	}
	_, err = t.a.Set(path+"/same", []byte("2"), -1)
	must(err, "set same")
	next(same, zk.EventNodeDataChanged, path+"/same")
}

func (t *tour) closeDrops() {
	path := t.root + "/close"
	c := connect(&t.o)
	_, err := c.Create(path, nil, zk.FlagEphemeral, open)
	must(err, "create")
	there, _, gone, err := t.a.ExistsW(path)
	must(err, "exists")
	want(there, "not there")
	begun := time.Now()
	c.Close()
	next(gone, zk.EventNodeDeleted, path)
	want(time.Since(begun) < t.o.timeout*2/3, "told after %v", time.Since(begun))
}
