-- Texts as rows of characters: each image is one row of numbers of letters, 1 to 71.

local ALPHABET = 71

return function(params)
    local length = params.inputShape and params.inputShape[3] or 96
    local model = nn.Sequential()
    model:add(nn.View(-1, length):setNumInputDims(3))
    model:add(nn.Select(2, 1))
    model:add(nn.OneHot(ALPHABET))
    model:add(nn.TemporalConvolution(ALPHABET, 32, 7)):add(nn.ReLU())
    model:add(nn.TemporalMaxPooling(3, 3))
    model:add(nn.TemporalConvolution(32, 32, 3)):add(nn.ReLU())
    model:add(nn.TemporalMaxPooling(3, 3))
    local frames = math.floor((math.floor((length - 6) / 3) - 2) / 3)
    model:add(nn.View(32 * frames):setNumInputDims(2))
    model:add(nn.Linear(32 * frames, 64)):add(nn.ReLU()):add(nn.Dropout(0.5))
    model:add(nn.Linear(64, params.nclasses or 4)):add(nn.LogSoftMax())
    return { model = model, loss = nn.ClassNLLCriterion(), trainBatchSize = 32 }
end
