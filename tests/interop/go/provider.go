package main

import (
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/samuel/go-zookeeper/zk"
)

// A provider registers the paths of its arguments as ephemerals and holds them, over lost connections and, with a new
// session, over lost sessions.
type provider struct {
	conn  *zk.Conn
	paths []string
	last  int64 // id of the session that holds the paths, 0: none does
}

func runProvider(args []string) error {
	var o options
	flags := flag.NewFlagSet("provider", flag.ExitOnError)
	o.register(flags)
	flags.Parse(args)
	if flags.NArg() == 0 {
		return fmt.Errorf("no path to register")
	}
	stop := awaitStop()
	states := make(chan zk.State, 1024)
	conn, err := o.dial(func(e zk.Event) {
		if e.Type == zk.EventSession {
			states <- e.State
		}
	})
	if err != nil {
		return err
	}
	p := &provider{conn: conn, paths: flags.Args()}
	for {
		select {
		case s := <-states:
			p.onState(s)
		case <-stop:
			conn.Close()
			say("closed", fields{"session": sessionName(p.last)})
			return nil
		}
	}
}

func sessionName(id int64) string {
	return fmt.Sprintf("0x%x", uint64(id))
}

func (p *provider) onState(s zk.State) {
	switch s {
	case zk.StateConnecting:
		say("connecting", nil)
	case zk.StateDisconnected:
		say("disconnected", nil)
	case zk.StateExpired:
		say("lost", fields{"session": sessionName(p.last)})
		p.last = 0
	case zk.StateHasSession:
		p.onSession()
	}
}

func (p *provider) onSession() {
	id := p.conn.SessionID()
	if id == p.last {
		say("resumed", fields{"session": sessionName(id)})
		return
	}
	if p.last != 0 {
		say("lost", fields{"session": sessionName(p.last)})
	}
	say("session", fields{"session": sessionName(id)})
	for _, path := range p.paths {
		if err := p.register(path, id); err != nil {
			say("failed", fields{"path": path, "error": err.Error()})
			return
		}
		say("registered", fields{"path": path, "session": sessionName(id)})
	}
	p.last = id
}

func (p *provider) register(path string, id int64) error {
	if err := p.ensureParents(path); err != nil {
		return err
	}
	data := []byte(fmt.Sprintf(`{"started":%d}`, time.Now().Unix()))
	_, err := p.conn.Create(path, data, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	if err != zk.ErrNodeExists {
		return err
	}
	// Left by a session of ours that is not expired yet: take its place, as providers do that start again.
	_, stat, err := p.conn.Get(path)
	if err == nil && stat.EphemeralOwner != id {
		err = p.conn.Delete(path, stat.Version)
	}
	if err != nil && err != zk.ErrNoNode {
		return err
	}
	_, err = p.conn.Create(path, data, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	return err
}

func (p *provider) ensureParents(path string) error {
	parts := strings.Split(path, "/")
	for i := 2; i < len(parts); i++ {
		parent := strings.Join(parts[:i], "/")
		_, err := p.conn.Create(parent, []byte{}, 0, zk.WorldACL(zk.PermAll))
		if err != nil && err != zk.ErrNodeExists {
			return err
		}
	}
	return nil
}
