// Registers identifiers with a Waymark node: one by one, and as a stream that continues after an interruption.
//
// dotnet add package Grpc.Net.Client, Google.Protobuf, Grpc.Tools; in the project file:
//   <Protobuf Include="proto/**/*.proto" ProtoRoot="proto" GrpcServices="Client" />
// Run with WAYMARK_SERVER=https://localhost:2643 WAYMARK_TOKEN=wm1_...; the node's certificate must be trusted by the system.

using Grpc.Core;
using Grpc.Net.Client;
using Waymark.Registration.V1;

var prefix = args.Length > 0 ? args[0] : "88.1";
var token = Environment.GetEnvironmentVariable("WAYMARK_TOKEN");
var credentials = ChannelCredentials.Create(new SslCredentials(), CallCredentials.FromInterceptor((_, headers) =>
{
    headers.Add("authorization", $"Bearer {token}");
    headers.Add("accept-language", "zh-CN");
    return Task.CompletedTask;
}));
var server = Environment.GetEnvironmentVariable("WAYMARK_SERVER")!;
using var channel = GrpcChannel.ForAddress(server, new GrpcChannelOptions { Credentials = credentials });
var service = new Registration.RegistrationClient(channel);

static Change Create(string handle, string address) => new()
{
    Handle = handle,
    Create = new Create { Values = { new Value { Index = 1, Type = "URL", Text = address } } },
};

// One: the same request id in every repetition, and the change is carried out once. Guid.CreateVersion7 needs .NET 9.
var request = new ApplyRequest
{
    Change = Create($"{prefix}/sample", "https://example.com/sample"),
    RequestId = Guid.CreateVersion7().ToString(),
};
try
{
    var answer = await service.ApplyAsync(request, deadline: DateTime.UtcNow.AddSeconds(10));
    Console.WriteLine($"registered at serial {answer.Receipt.Serial}");
}
catch (RpcException error)
{
    // Grpc.StatusProto: error.GetRpcStatus()?.GetDetail<Google.Rpc.ErrorInfo>()?.Reason is the stable name.
    Console.WriteLine($"refused: {error.Status}");
}

// Many: from where the node has them.
var stream = $"sample-{prefix}";
var changes = Enumerable.Range(1, 1000).Select(n => Create($"{prefix}/sample-{n}", $"https://example.com/{n}")).ToList();
var mark = (await service.GetStreamAsync(new GetStreamRequest { Stream = stream })).Mark;
using var exchange = service.Exchange();
var reading = Task.Run(async () =>
{
    await foreach (var answer in exchange.ResponseStream.ReadAllAsync())
    {
        foreach (var outcome in answer.Outcomes?.Outcomes.Where(o => o.Refusal != null) ?? [])
            Console.WriteLine($"{outcome.Number} {outcome.Refusal.Reason} {outcome.Refusal.Cause}");
        if (answer.Summary != null)
            Console.WriteLine($"created {answer.Summary.Created} mark {answer.Summary.Mark}");
    }
});
await exchange.RequestStream.WriteAsync(new UploadRequest { Open = new OpenStream { Stream = stream } });
for (var first = (int)mark; first < changes.Count; first += 500)
{
    var items = new Items { FirstNumber = (ulong)first + 1, Changes = { changes.Skip(first).Take(500) } };
    await exchange.RequestStream.WriteAsync(new UploadRequest { Items = items });
}
await exchange.RequestStream.CompleteAsync();
await reading;
