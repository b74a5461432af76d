package ops

// Pair is a key of a member, of the shared map, or of the linearizable map.
type Pair struct {
	Member string `json:"member,omitzero"` // that publishes it; "" in a map
	Key    Text   `json:"key"`
	Value  *Text  `json:"value,omitzero"` // absent where values are not shown, and of a key that is gone
	Size   int    `json:"size"`           // of the value, in bytes
	Gone   bool   `json:"gone,omitzero"`  // withdrawn, deleted or expired
}

// pairOf returns a key with its value.
func pairOf(member, key, value string) Pair {
	v := Text(value)
	return Pair{Member: member, Key: Text(key), Value: &v, Size: len(value)}
}

// PairOf returns a key of a map with its value, or one that is gone.
func PairOf(key, value string, gone bool) Pair { return changeOf("", key, value, gone) }

func changeOf(member, key, value string, gone bool) Pair {
	if gone {
		return Pair{Member: member, Key: Text(key), Gone: true}
	}
	return pairOf(member, key, value)
}

// Joined reports how the call of a node went.
type Joined struct {
	Addr  string `json:"addr"`
	Error string `json:"error,omitzero"`
}
