package ray

import (
	"encoding/hex"
	"testing"

	remora "github.com/remora-project/remora"
)

// reply is a GetAllNodeInfoReply as Ray 2.60's own Python classes encode it: a
// dead head node with 2.5 CPUs and 1 GiB, and fields that we do not read.
const reply = "12520a02abcd12093132372e302e302e3128d20938015a110a066d656d6f727911000000000000d0415a0e0a0343505511" +
	"0000000000000440620468656164c80101d201060a01611201628202062f746d702f78"

func TestParseNodes(t *testing.T) {
	b, err := hex.DecodeString(reply)
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := parseNodes(b)
	if err != nil || len(nodes) != 1 {
		t.Fatalf("nodes %+v, %v", nodes, err)
	}
	want := remora.Node{ID: "abcd", Address: "127.0.0.1:1234", Head: true, CPUs: 2.5, Memory: 1 << 30}
	if nodes[0] != want {
		t.Errorf("node %+v, want %+v", nodes[0], want)
	}
}

func FuzzParseNodes(f *testing.F) {
	b, err := hex.DecodeString(reply)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) { parseNodes(b) }) // it must not panic
}

func TestFitSharedMemory(t *testing.T) {
	sizes := []remora.NodeSize{{ObjectStore: 3 << 30}, {ObjectStore: 1 << 30}, {}}
	fitSharedMemory(sizes, 100<<30)
	if sizes[0].ObjectStore != 3<<30 || sizes[1].ObjectStore != 1<<30 || sizes[2].ObjectStore != minObjectStore {
		t.Errorf("with room enough: %+v", sizes)
	}
	fitSharedMemory(sizes, 2<<30)
	if s := sizes[0].ObjectStore; s > 3<<29 || s < 5<<28 {
		t.Errorf("of 3 GiB in half the room needed: %d", s)
	}
	if sizes[2].ObjectStore != minObjectStore {
		t.Errorf("below Ray's minimum: %d", sizes[2].ObjectStore)
	}
}
