package gen

type pendingWeb struct{}

var web pendingWeb

func (pendingWeb) Script() []byte { return []byte("module.exports = class Bwsess {};\n") }
func (pendingWeb) Module() []byte { return nil }
func (pendingWeb) Types() []byte  { return nil }
