// What the tests of github.com/samuel/go-zookeeper call otherwise than those of its successor.
package zk

import "io"

// StartTestCluster gives a cluster whose server answers.
func StartTestCluster(size int, stdout, stderr io.Writer) (*TestCluster, error) {
	return startCluster(size)
}

// Connect is a client of one server.
func (tc *TestCluster) Connect(index int) (*Conn, error) {
	client, _, err := tc.connectTo(index)
	return client, err
}
