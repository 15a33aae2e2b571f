-- One question of a gateway per request, about good tokens: wrk -s auth.lua URL -- KEY RUN TOKENS
local requests, at = {}, 0

function init(args)
  for token in io.lines(args[3]) do
    requests[#requests + 1] =
      wrk.format("GET", "/auth", { ["x-api-key"] = args[1], ["authorization"] = "Bearer " .. token })
  end
  -- Where the run begins, so that no two are alike.
  at = tonumber(args[2]) * 7919
end

function request()
  at = at % #requests + 1
  return requests[at]
end
