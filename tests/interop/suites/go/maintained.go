// What the tests of github.com/go-zookeeper/zk call otherwise than those of its predecessor.
package zk

import (
	"context"
	"errors"
	"io"
	"testing"
)

// Names of files that a test of a member of an ensemble would write.
const (
	_testConfigName   = "zoo.cfg"
	_testMyIDFileName = "myid"
)

// StartTestCluster gives a cluster whose server answers.
func StartTestCluster(t *testing.T, size int, stdout, stderr io.Writer) (*TestCluster, error) {
	t.Helper()
	return startCluster(size)
}

// Connect is a client of one server, with its events.
func (tc *TestCluster) Connect(index int) (*Conn, <-chan Event, error) {
	return tc.connectTo(index)
}

// NewIntegrationTestServer would be another member of an ensemble.
func NewIntegrationTestServer(t *testing.T, path string, stdout, stderr io.Writer) (*Server, error) {
	t.Helper()
	return nil, errSeveralServers
}

// Marshall would write the configuration of that member.
func (config ServerConfig) Marshall(io.Writer) error {
	return errSeveralServers
}

func waitForSession(ctx context.Context, events <-chan Event) error {
	for {
		select {
		case event, open := <-events:
			if !open {
				return errors.New("the client ended before it had a session")
			}
			if event.State == StateHasSession {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func requireNoErrorf(t *testing.T, err error, why ...interface{}) {
	t.Helper()
	if err != nil {
		t.Log(why...)
		t.Fatal(err)
	}
}
