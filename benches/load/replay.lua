-- wrk script: walks a file of requests that were signed beforehand, `Authorization<TAB>DPoP` a line, each sent once.
-- POP_REQUESTS names the file, POP_THREADS the number of wrk's threads; each thread takes every so manieth line.
local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(args)
    local step = tonumber(os.getenv("POP_THREADS") or "1")
    requests, at = {}, 0
    local line_number = 0
    for line in io.lines(os.getenv("POP_REQUESTS")) do
        if line_number % step == number then
            local authorization, proof = line:match("^([^\t]+)\t(.+)$")
            requests[#requests + 1] =
                wrk.format("GET", nil, { ["Authorization"] = authorization, ["DPoP"] = proof, ["Host"] = wrk.headers["Host"] })
        end
        line_number = line_number + 1
    end
end

function request()
    at = at + 1
    -- Past the end, what is sent was sent before: the server refuses it, and wrk reports that.
    return requests[(at - 1) % #requests + 1]
end
