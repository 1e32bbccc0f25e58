package engine

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
)

const (
	clusterName = "active"
	storeName   = "sqlite"
	loopback    = "127.0.0.1"

	// internalServices is the number of services that only the server itself calls.
	internalServices = 3
)

// sqlConfig describes the single SQLite database that holds both the runs and their
// visibility records.
func sqlConfig(dataFile string) (*config.SQL, error) {
	cfg := &config.SQL{PluginName: sqlite.PluginName}
	if dataFile == "" {
		// A unique name, because the plugin shares a database between all servers of
		// a process that use the same name.
		cfg.DatabaseName = "engine-" + uuid.NewString()
		cfg.ConnectAttributes = map[string]string{"mode": "memory", "cache": "shared"}
		return cfg, nil
	}
	path, err := filepath.Abs(dataFile)
	if err != nil {
		return nil, fmt.Errorf("engine: resolve the path of the data file %q: %w", dataFile, err)
	}
	// The name becomes part of a URI, in which "?", "#" and "%" are special.
	cfg.DatabaseName = (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
	cfg.ConnectAttributes = map[string]string{
		"mode":         "rwc",
		"setup":        "true",
		"journal_mode": "WAL",
		"synchronous":  "NORMAL",
		"busy_timeout": "10000",
	}
	return cfg, nil
}

// serverConfig is the configuration of a complete Temporal cluster on one machine:
// four services, each with its own port.
func serverConfig(frontend *net.TCPAddr, internal [internalServices]int, store *config.SQL) *config.Config {
	var cfg config.Config
	cfg.Global.Membership.MaxJoinDuration = 30 * time.Second
	cfg.Global.Membership.BroadcastAddress = loopback
	cfg.Persistence = config.Persistence{
		DefaultStore:     storeName,
		VisibilityStore:  storeName,
		NumHistoryShards: 1,
		DataStores:       map[string]config.DataStore{storeName: {SQL: store}},
	}
	cfg.ClusterMetadata = &cluster.Config{
		FailoverVersionIncrement: 10,
		MasterClusterName:        clusterName,
		CurrentClusterName:       clusterName,
		ClusterInformation: map[string]cluster.ClusterInformation{
			clusterName: {
				Enabled:                true,
				InitialFailoverVersion: 1,
				RPCAddress:             dialAddress(frontend),
			},
		},
	}
	cfg.DCRedirectionPolicy.Policy = "noop"
	cfg.Archival.History.State = "disabled"
	cfg.Archival.Visibility.State = "disabled"
	cfg.NamespaceDefaults.Archival.History.State = "disabled"
	cfg.NamespaceDefaults.Archival.Visibility.State = "disabled"
	cfg.PublicClient.HostPort = dialAddress(frontend)
	cfg.Services = map[string]config.Service{
		string(primitives.FrontendService): {RPC: config.RPC{GRPCPort: frontend.Port, BindOnIP: frontend.IP.String()}},
		string(primitives.HistoryService):  {RPC: config.RPC{GRPCPort: internal[0], BindOnIP: loopback}},
		string(primitives.MatchingService): {RPC: config.RPC{GRPCPort: internal[1], BindOnIP: loopback}},
		string(primitives.WorkerService):   {RPC: config.RPC{GRPCPort: internal[2], BindOnIP: loopback}},
	}
	return &cfg
}

// staticHosts gives each service the addresses of the others. It replaces the gossip
// with which the machines of a real cluster find each other.
func staticHosts(frontend *net.TCPAddr, internal [internalServices]int) map[primitives.ServiceName]static.Hosts {
	at := func(port int) static.Hosts {
		return static.SingleLocalHost(net.JoinHostPort(loopback, strconv.Itoa(port)))
	}
	return map[primitives.ServiceName]static.Hosts{
		primitives.FrontendService: static.SingleLocalHost(dialAddress(frontend)),
		primitives.HistoryService:  at(internal[0]),
		primitives.MatchingService: at(internal[1]),
		primitives.WorkerService:   at(internal[2]),
	}
}

// dynamicConfig holds the settings in which a single machine differs from a cluster
// (deploy/temporal/dynamicconfig.yaml is its counterpart for a cluster).
func dynamicConfig(o Options) dynamicconfig.StaticClient {
	c := dynamicconfig.StaticClient{
		// One partition, because a task queue's rate limit is divided among its
		// partitions and fairness keys only apply within one.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
		dynamicconfig.MatchingEnableFairness.Key():              true,
		// The default of 20 per second is meant for hundreds of shards. Here it
		// would delay claims one after another.
		dynamicconfig.TransferProcessorMaxPollRPS.Key(): 200,
		// The UI and tests list runs more often than 10 times per second.
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 1000,
		// The check reports to Temporal's makers, over the internet, which version
		// runs where.
		dynamicconfig.EnableServerVersionCheck.Key(): false,
	}
	if o.ContinueAfter > 0 {
		c[dynamicconfig.HistoryCountSuggestContinueAsNew.Key()] = o.ContinueAfter
	}
	return c
}
