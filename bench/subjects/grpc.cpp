// SPDX-License-Identifier: BSL-1.0
// gRPC unary calls over a Unix socket. Requests and replies are bytes, so that nothing but the call
// is measured; both sides drive their completion queue themselves, one call after the other.
#include "adapters.hpp"
#include "roles.hpp"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace partywall::bench {
namespace {

std::string address_of(channel const& c) { return "unix:" + c.file(); }

/// Waits for the one thing that was asked for.
void finish(grpc::CompletionQueue& queue, char const* what) {
    void* which = nullptr;
    bool well = false;
    if (!queue.Next(&which, &well) || !well) {
        throw std::runtime_error(std::string(what) + " failed");
    }
}
grpc::Slice whole(grpc::ByteBuffer& buffer) {
    grpc::Slice slice;
    if (!buffer.DumpToSingleSlice(&slice).ok()) {
        throw std::runtime_error("no message in the call");
    }
    return slice;
}

class grpc_client {
  public:
    explicit grpc_client(channel const& c)
        : stub_(grpc::CreateChannel(address_of(c), grpc::InsecureChannelCredentials())),
          buffer_(static_cast<std::size_t>(c.bytes)) {}

    template <class Write, class Read>
    void call(Write write, Read read) {
        write(buffer_.data());
        grpc::Slice const slice(buffer_.data(), buffer_.size());
        grpc::ByteBuffer const request(&slice, 1);
        grpc::ClientContext context;
        context.set_wait_for_ready(true);
        auto const pending = stub_.PrepareUnaryCall(&context, "/bench/call", request, &queue_);
        pending->StartCall();
        grpc::ByteBuffer reply;
        grpc::Status status;
        pending->Finish(&reply, &status, this);
        finish(queue_, "a call");
        if (!status.ok()) {
            throw std::runtime_error("a call failed: " + status.error_message());
        }
        grpc::Slice const got = whole(reply);
        read(got.begin(), got.size());
    }

  private:
    grpc::GenericStub stub_;
    grpc::CompletionQueue queue_;
    std::vector<std::byte> buffer_;
};

class grpc_server {
  public:
    explicit grpc_server(channel const& c) : buffer_(static_cast<std::size_t>(c.bytes)) {
        grpc::ServerBuilder builder;
        builder.AddListeningPort(address_of(c), grpc::InsecureServerCredentials());
        builder.RegisterAsyncGenericService(&service_);
        queue_ = builder.AddCompletionQueue();
        server_ = builder.BuildAndStart();
        if (!server_) {
            throw std::runtime_error("the server does not start");
        }
    }
    ~grpc_server() {
        server_->Shutdown();
        queue_->Shutdown();
        void* which = nullptr;
        for (bool well = false; queue_->Next(&which, &well);) {
        }
    }
    grpc_server(grpc_server const&) = delete;
    grpc_server& operator=(grpc_server const&) = delete;

    template <class Answer>
    void run(Answer answer) {
        for (bool more = true; more;) {
            grpc::GenericServerContext context;
            grpc::GenericServerAsyncReaderWriter stream(&context);
            service_.RequestCall(&context, &stream, queue_.get(), queue_.get(), this);
            finish(*queue_, "awaiting a call");
            grpc::ByteBuffer request;
            stream.Read(&request, this);
            finish(*queue_, "reading a request");
            grpc::Slice const got = whole(request);
            more = answer(got.begin(), got.size(), buffer_.data());
            grpc::Slice const slice(buffer_.data(), buffer_.size());
            stream.WriteAndFinish(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(),
                                  grpc::Status::OK, this);
            finish(*queue_, "sending a reply");
        }
    }

  private:
    grpc::AsyncGenericService service_;
    std::unique_ptr<grpc::ServerCompletionQueue> queue_;
    std::unique_ptr<grpc::Server> server_;
    std::vector<std::byte> buffer_;
};

struct calls {
    using client = grpc_client;
    using server = grpc_server;
    static constexpr bool has_threads = true;
    static constexpr bool server_works_in_threads = false;
};

bool can(job const& j, std::string_view) {
    return j.figure == figure::call && j.wait == wait::park;
}

} // namespace

subject grpc_subject() { return {"grpc", {""}, can, play_call<calls>, nullptr, false, true}; }

} // namespace partywall::bench
