package ray

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	remora "github.com/remora-project/remora"
)

// gcs asks a global control store for its nodes. One unary gRPC call does not
// need a gRPC library: it is an HTTP/2 POST with a five-byte frame.
type gcs struct {
	addr  string // host:port
	token string
	http  *http.Client
}

func newGCS(addr, token string) *gcs {
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	return &gcs{addr: addr, token: token,
		http: &http.Client{Transport: &http.Transport{Protocols: h2c, IdleConnTimeout: 30 * time.Second}}}
}

func (g *gcs) close() { g.http.CloseIdleConnections() }

// maxReply bounds an answer: about a kilobyte a node.
const maxReply = 16 << 20

// nodes calls ray.rpc.NodeInfoGcsService/GetAllNodeInfo, the service's own list
// of its members, dead ones included. name gives a node's name in Ray.
func (g *gcs) nodes(ctx context.Context) ([]remora.Node, error) {
	body := []byte{0, 0, 0, 0, 0} // an empty GetAllNodeInfoRequest, uncompressed
	req, err := http.NewRequestWithContext(ctx, "POST",
		"http://"+g.addr+"/ray.rpc.NodeInfoGcsService/GetAllNodeInfo", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("TE", "trailers")
	req.Header.Set("Authorization", "Bearer "+g.token)
	resp, err := g.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, err
	}
	status, message := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if status == "" { // an answer without a body has them in its header
		status, message = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	if resp.StatusCode != http.StatusOK || status != "0" {
		return nil, fmt.Errorf("gcs at %s: HTTP %d, gRPC status %q: %s", g.addr, resp.StatusCode, status, message)
	}
	if len(reply) < 5 || reply[0] != 0 || int(binary.BigEndian.Uint32(reply[1:5])) != len(reply)-5 {
		return nil, fmt.Errorf("gcs at %s: malformed gRPC frame of %d bytes", g.addr, len(reply))
	}
	return parseNodes(reply[5:])
}

// Field numbers of ray.rpc.GetAllNodeInfoReply, ray.rpc.GcsNodeInfo and of a
// map's entry (src/ray/protobuf/gcs_service.proto and gcs.proto).
const (
	replyNodeInfoList = 2

	nodeID                 = 1
	nodeManagerAddress     = 2
	nodeManagerPort        = 5
	nodeState              = 7 // 0 is ALIVE
	nodeResourcesTotal     = 11
	nodeIsHead             = 25
	mapEntryKey, mapEntryV = 1, 2
)

func parseNodes(reply []byte) ([]remora.Node, error) {
	var out []remora.Node
	err := eachField(reply, func(f field) error {
		if f.num != replyNodeInfoList || f.bytes == nil {
			return nil
		}
		n, err := parseNode(f.bytes)
		out = append(out, n)
		return err
	})
	return out, err
}

func parseNode(b []byte) (remora.Node, error) {
	n := remora.Node{Alive: true} // proto3 leaves zero values out
	var host string
	var port uint64
	err := eachField(b, func(f field) error {
		switch f.num {
		case nodeID:
			n.ID = hex.EncodeToString(f.bytes)
		case nodeManagerAddress:
			host = string(f.bytes)
		case nodeManagerPort:
			port = f.value
		case nodeState:
			n.Alive = f.value == 0
		case nodeIsHead:
			n.Head = f.value != 0
		case nodeResourcesTotal:
			return addResource(&n, f.bytes)
		}
		return nil
	})
	n.Address = net.JoinHostPort(host, strconv.FormatUint(port, 10))
	return n, err
}

// addResource reads an entry of map<string, double>.
func addResource(n *remora.Node, entry []byte) error {
	var name string
	var amount float64
	err := eachField(entry, func(f field) error {
		switch f.num {
		case mapEntryKey:
			name = string(f.bytes)
		case mapEntryV:
			amount = f.double()
		}
		return nil
	})
	switch name {
	case "CPU":
		n.CPUs = amount
	case "memory":
		n.Memory = int64(amount)
	}
	return err
}
